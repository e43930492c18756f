#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "program.hpp"
#include "support/test_devices.hpp"
#include "tiny_chat_model.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::vector<std::string> short_answer = {"run",          "--raw", "--ignore-eos",
                                               "--max-tokens", "4",     "Hello"};

/// What the program does where the machine, the device or the user is against it.
class Process : public testing::Test {
 protected:
  Process() { program_.environment = {{"CLMX_MODEL", model_.path()}}; }
  Ended run_on(const Device& device, const std::vector<std::string>& arguments) {
    program_.environment["CLMX_DEVICE"] = device.info().selector;
    return program_.run(arguments);
  }
  TinyChatModel model_;
  TempFolder folder_;
  Program program_;
};

// A copy of the kernels in which the choice of a token loops while a word of its input stays.
void copy_kernels_with_an_endless_one(const fs::path& to) {
  fs::copy(fs::path(CLMX_TEST_DATA) / ".." / ".." / "cl", to, fs::copy_options::recursive);
  std::string source = content_of(to / "argmax.cl");
  const std::string open = "long width) {";
  const std::string loop = open +
                           "\n  const volatile global uint* word = (const volatile global uint*)x;"
                           "\n  for (const uint first = word[0]; word[0] == first;) {}\n";
  int kernels = 0;
  for (std::size_t at = 0; (at = source.find(open, at)) != std::string::npos; at += loop.size()) {
    source.replace(at, open.size(), loop);
    ++kernels;
  }
  ASSERT_EQ(kernels, 2);
  std::ofstream(to / "argmax.cl") << source;
}

TEST_F(Process, AKernelThatNeverEndsIsReportedWithStatus3) {
  const fs::path kernels = folder_ / "cl";
  copy_kernels_with_an_endless_one(kernels);
  program_.environment["CLMX_KERNEL_DIR"] = kernels.string();
  for (const Device& device : test_devices()) {
    // The software rasteriser ends every loop after 65535 turns; tests/devices shows it hanging.
    if (device.info().device_class == DeviceClass::emulated) continue;
    // The device's self-check, which finds it too, and the compilation of the other kernels come
    // before the clock.
    program_.environment["CLMX_HANG_LIMIT"] = "3";
    const Ended checked = run_on(device, short_answer);
    EXPECT_EQ(checked.status, 3) << checked.err;
    EXPECT_THAT(checked.err, HasSubstr("argmax"));
    program_.environment.erase("CLMX_HANG_LIMIT");
    const std::string logits = (folder_ / "logits.safetensors").string();
    const Ended before = run_on(device, {"logits", "--tokens", "1,2,3", "--output", logits});
    ASSERT_EQ(before.status, 0) << before.err;
    const auto begin = std::chrono::steady_clock::now();
    const Ended ended = run_on(device, short_answer);
    EXPECT_EQ(ended.status, 3) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("hangs"));
    EXPECT_THAT(ended.err, HasSubstr("argmax"));
    EXPECT_THAT(ended.err, HasSubstr(device.info().selector));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  }
}

TEST_F(Process, AMalformedHangLimitIsAWrongUse) {
  program_.environment["CLMX_HANG_LIMIT"] = "soon";
  const Ended ended = run_on(test_devices().front(), short_answer);
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.err, HasSubstr("CLMX_HANG_LIMIT"));
}

}  // namespace
}  // namespace clmx
