#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "support/test_devices.hpp"
#ifdef CLMX_CHECKS_DEVICES
#include "answer_self_check.hpp"
#endif

namespace {

/// Prints what the tests will run on. False when there is nothing to run on, or when a device that
/// CLMX_TEST_DEVICES asks for is missing: a run without its devices must not pass.
bool devices_are_there() {
  for (const clmx::DeviceProblem& problem : clmx::Device::problems()) {
    std::cout << "passed over: " << problem.where << ": " << problem.reason << '\n';
  }
  try {
    const std::vector<clmx::Device> devices = clmx::test_devices();
    for (const clmx::Device& device : devices) {
      const clmx::DeviceInfo& info = device.info();
      std::cout << "device " << info.selector << ": " << info.name << " (" << info.platform
                << ")\n";
    }
    if (!devices.empty()) return true;
    std::cerr << "no OpenCL device: install one, e.g. the package pocl-opencl-icd\n";
  } catch (const std::exception& error) {
    std::cerr << "the devices to test on: " << error.what() << '\n';
  }
  return false;
}

/// Ends the process as the program does, without the drivers' exit handlers: one driver's may still
/// race with a worker thread of another. Sanitizers report in handlers of their own.
int leave(int status) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  std::cout.flush();
  std::fflush(nullptr);
  std::quick_exit(status);
#endif
  return status;
}

int run_tests(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  if (!devices_are_there()) return 1;
  const int failed = RUN_ALL_TESTS();
  if (failed == 0 && testing::UnitTest::GetInstance()->test_to_run_count() == 0) {
    std::cerr << "no test matches the filter\n";
    return 1;
  }
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
#ifdef CLMX_CHECKS_DEVICES
  if (const auto status = clmx::answer_self_check(argc, argv)) return leave(*status);
#endif
  return leave(run_tests(argc, argv));
}
