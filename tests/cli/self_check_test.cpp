#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "program.hpp"
#include "support/test_devices.hpp"
#include "tiny_chat_model.hpp"

namespace clmx {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr int ok = 0, no_device = 3;

/// The first device of the tests, on kernels of which the test spoils one, with a cache
/// of its own.
class SelfCheckProgram : public testing::Test {
 protected:
  SelfCheckProgram() {
    std::filesystem::copy(CLMX_KERNELS, kernels_, std::filesystem::copy_options::recursive);
    program_.environment = {{"CLMX_MODEL", model_.path()},
                            {"CLMX_CACHE_DIR", (folder_ / "cache").string()},
                            {"CLMX_KERNEL_DIR", kernels_.string()}};
  }
  static const DeviceInfo& device() { return test_devices().front().info(); }
  /// Has every work-item of the kernels in the file do this first.
  void spoil(const std::string& file, const std::string& statement) const {
    std::string text = content_of(kernels_ / file);
    const std::size_t kernel = text.find("kernel ");
    const std::size_t body = text.find('{', text.find(')', text.find("global", kernel)));
    ASSERT_NE(body, std::string::npos);
    text.insert(body + 1, '\n' + statement + '\n');
    std::ofstream(kernels_ / file) << text;
  }
  json entry() {
    const Ended ended = program_.run({"devices", "--json", "-d", device().selector});
    EXPECT_EQ(ended.status, ok) << ended.err;
    return json::parse(ended.out).at("devices").at(0).at("self_check");
  }
  /// `all` leaves it out; --strict makes it an error.
  void expect_passed_over() {
    const Ended all = program_.run({"run", "-d", "all", "--max-tokens", "1", "Hi"});
    EXPECT_THAT(all.err, HasSubstr("passed over: " + device().selector));
    const Ended strict = program_.run({"devices", "--strict", "-d", device().selector, "--json"});
    EXPECT_EQ(strict.status, no_device) << strict.err;
  }

  const TempFolder folder_;
  const std::filesystem::path kernels_ = folder_ / "kernels";
  TinyChatModel model_;
  Program program_;
};

constexpr const char* crash = "*(volatile global int*)(size_t)(get_global_id(0) + 16) = 1;";
constexpr const char* hang =
    "for (volatile int turn = 0; turn >= 0;) turn = (int)(get_global_id(0) & 1);";

TEST_F(SelfCheckProgram, AKernelThatDoesNotCompileIsAFailure) {
  spoil("rms_norm.cl", "unheard_of;");
  const Ended ended = program_.run({"run", "-d", "all", "-q", "--max-tokens", "1", "Hi"});
  const json check = entry();
  EXPECT_EQ(check.at("status"), "failed") << ended.err;
  EXPECT_LT(check.at("passed"), check.at("total"));  // what needs other kernels passes
  EXPECT_THAT(check.at("failures").at(0).get<std::string>(), HasSubstr("canonical/"));
  expect_passed_over();
}

TEST_F(SelfCheckProgram, ACrashIsTheChildsAloneAndRecorded) {
  if (device().device_class != DeviceClass::cpu_vector) GTEST_SKIP() << "needs host memory";
  spoil("rms_norm.cl", crash);
  const Ended ended = program_.run({"devices", "--check", "-d", device().selector});
  EXPECT_EQ(ended.status, ok) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("crashed"));
  EXPECT_EQ(entry().at("status"), "crashed");
  EXPECT_THAT(entry().at("failures").at(0).get<std::string>(), HasSubstr("signal"));
  expect_passed_over();
}

// The software rasteriser ends every loop after 65535 turns.
bool hangs_for_ever(const DeviceInfo& device) {
  return device.device_class != DeviceClass::emulated;
}

TEST_F(SelfCheckProgram, AnEndlessKernelIsEndedAndRecorded) {
  if (!hangs_for_ever(device())) GTEST_SKIP() << "ends its loops";
  spoil("rms_norm.cl", hang);
  // All devices, so that the run below waits for none of them.
  const Ended ended = program_.run({"devices", "--check", "--limit", "4"});
  EXPECT_EQ(ended.status, ok) << ended.err;
  EXPECT_EQ(entry().at("status"), "hung");
  expect_passed_over();
}

TEST_F(SelfCheckProgram, AnEndlessKernelIsNamedAfterTheHangLimitAndNotRunAgain) {
  if (!hangs_for_ever(device())) GTEST_SKIP() << "ends its loops";
  spoil("rms_norm.cl", hang);
  program_.environment["CLMX_HANG_LIMIT"] = "3";
  const auto begin = std::chrono::steady_clock::now();
  const Ended ended = program_.run({"run", "-d", device().selector, "--max-tokens", "1", "Hi"});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  EXPECT_EQ(ended.status, no_device) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("device " + device().selector + " hung in its self-check"));
  EXPECT_THAT(ended.err, HasSubstr("canonical/token/affine4_g64"));
  EXPECT_THAT(ended.err, HasSubstr("rms_norm"));
  EXPECT_THAT(ended.err, Not(HasSubstr("used because")));
  EXPECT_EQ(entry().at("status"), "hung");
  const Ended again = program_.run({"run", "-d", device().selector, "--max-tokens", "1", "Hi"});
  EXPECT_EQ(again.status, no_device) << again.err;
  EXPECT_THAT(again.err, HasSubstr("used because it is named: " + device().selector));
  EXPECT_THAT(again.err, HasSubstr("completed nothing for 3 s"));
}

TEST_F(SelfCheckProgram, AFeatureWhoseProbeHangsIsNotUsedAndTheDeviceIs) {
  if (device().device_class != DeviceClass::cpu_vector) GTEST_SKIP() << "has no such probe";
  spoil("probe_permute.cl", hang);
  program_.environment["CLMX_HANG_LIMIT"] = "3";
  const Ended ended =
      program_.run({"run", "-d", device().selector, "--raw", "--max-tokens", "1", "Hi"});
  EXPECT_EQ(ended.status, ok) << ended.err;
  const json check = entry();
  EXPECT_EQ(check.at("status"), "ok") << check;
  for (const json& feature : check.at("features")) EXPECT_NE(feature, "permute");
}

TEST_F(SelfCheckProgram, AFeatureWhoseProbeCrashesIsNotUsedAndTheDeviceIs) {
  if (device().device_class != DeviceClass::cpu_vector) GTEST_SKIP() << "has no such probe";
  spoil("probe_prefetch.cl", crash);
  const Ended ended =
      program_.run({"run", "-d", device().selector, "--raw", "--max-tokens", "1", "Hi"});
  EXPECT_EQ(ended.status, ok) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("checking " + device().selector));
  const json check = entry();
  EXPECT_EQ(check.at("status"), "ok");

  for (const json& feature : check.at("features")) EXPECT_NE(feature, "prefetch");
  const Ended again =
      program_.run({"run", "-d", device().selector, "--raw", "--max-tokens", "1", "Hi"});
  EXPECT_THAT(again.err, Not(HasSubstr("checking")));
}

TEST_F(SelfCheckProgram, NumericsAndSpeedAreInTheDocument) {
  const Ended ended =
      program_.run({"devices", "--json", "--bench", "--numerics", "-q", "-d", device().selector});
  ASSERT_EQ(ended.status, ok) << ended.err;
  const json entry = json::parse(ended.out).at("devices").at(0);
  EXPECT_GT(entry.at("speed").at("stream_bytes_per_s"), 1e8);
  EXPECT_GT(entry.at("speed").at("launch_s"), 0);
  EXPECT_GT(entry.at("speed").at("default_model_tok_s"), 0);
  const json& numerics = entry.at("numerics");
  EXPECT_EQ(numerics.at("fma").at("wrong"), 0);
  EXPECT_EQ(numerics.at("nan_equals_itself"), false);
  EXPECT_GT(numerics.at("loop_turns").at("taken"), 32768);
  EXPECT_LE(numerics.at("loop_turns").at("taken"), numerics.at("loop_turns").at("of"));
  EXPECT_GE(numerics.at("functions").size(), 10U);
  for (const json& function : numerics.at("functions")) {
    EXPECT_LE(function.at("worst_ulp"), function.at("allowed_ulp")) << function;
  }
}

}  // namespace
}  // namespace clmx
