#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "clmx/devices/failure.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

// Each use of the parent's objects in the child; how many of them throw ForkedProcess.
int refused_uses(const Stream& stream, const Kernel& kernel, const Buffer& x) {
  const Device device = stream.device();
  int refused = 0;
  const auto count = [&refused](auto call) {
    try {
      call();
    } catch (const ForkedProcess& error) {
      if (std::string(error.what()).find("fork") != std::string::npos) ++refused;
    }
  };
  count([&] { Device::all(); });
  count([&] { stream.launch(kernel, Grid::linear(4, 4), BufferArgument{x}); });
  count([&] { download(stream, x); });
  count([&] { stream.synchronize(); });
  count([&] { stream.record(); });
  count([&] { device.new_stream(); });
  count([&] { Buffer::allocate_unpooled(device, 64); });
  return refused;
}

TEST(ForkedProcess, MayUseNothingAndLeaves) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Kernel kernel = device.kernel({test_library(), "scale.cl", "add_one", {}});
    Buffer x = upload(stream, counting(4));
    stream.launch(kernel, Grid::linear(4, 4), BufferArgument{x});
    const Event event = stream.record();
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // a driver that waits must not keep the test
      const int refused = refused_uses(stream, kernel, x);
      x = Buffer();
      _exit(refused == 7 && event.complete() ? 0 : refused + 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_EQ(download(stream, x).at(2), 3.0f) << "the parent goes on";
  }
}

}  // namespace
}  // namespace clmx
