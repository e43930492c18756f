#include "clmx/devices/self_check.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "binary_store.hpp"
#include "support/temp_folder.hpp"

namespace clmx {
namespace {

SelfCheck sample() {
  return {.status = SelfCheckStatus::failed,
          .full = true,
          .passed = 58,
          .total = 60,
          .failures = {"add/f32: wrong at 3", "rope/f16: NaN"},
          .features = {"permute", "prefetch"},
          .speed = {1.25e10, 3.5e-6}};
}

DeviceInfo a_device() {
  DeviceInfo info;
  info.id = "0123456789abcdef";
  info.driver_version = "driver 1.0";
  return info;
}

/// Sets a variable for the life of the object.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const auto before = environment(name)) before_ = *before;
    ::setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { before_.empty() ? ::unsetenv(name_) : ::setenv(name_, before_.c_str(), 1); }

 private:
  const char* name_;
  std::string before_;
};

class SelfCheckRecord : public testing::Test {
 protected:
  const TempFolder folder_;
  const std::filesystem::path cache_ = folder_ / "cache";
  const Variable variable_{"CLMX_CACHE_DIR", cache_.string()};
};

TEST_F(SelfCheckRecord, ComesBackAsStored) {
  EXPECT_FALSE(stored_self_check(a_device()));
  store_self_check(a_device(), sample());
  const auto stored = stored_self_check(a_device());
  ASSERT_TRUE(stored);
  EXPECT_EQ(encode(*stored), encode(sample()));
  EXPECT_TRUE(stored->is_bad());
  EXPECT_EQ(stored->features.count("prefetch"), 1U);
  EXPECT_EQ(stored->speed.stream_bytes_per_s, 1.25e10);
}

TEST_F(SelfCheckRecord, OfAnotherDriverDeviceOrKernelsDoesNotCount) {
  store_self_check(a_device(), sample());
  DeviceInfo other = a_device();
  other.driver_version = "driver 2.0";
  EXPECT_FALSE(stored_self_check(other));
  other = a_device();
  other.opencl_version = "OpenCL 9.9";
  EXPECT_FALSE(stored_self_check(other));
  other = a_device();
  other.id = "fedcba9876543210";
  EXPECT_FALSE(stored_self_check(other));
  other = a_device();
  other.pretends = "mali";
  EXPECT_FALSE(stored_self_check(other));
  const Variable kernels("CLMX_KERNEL_DIR", "/some/where");
  EXPECT_FALSE(stored_self_check(a_device()));
}

TEST_F(SelfCheckRecord, IsIgnoredWhenDamaged) {
  store_self_check(a_device(), sample());
  const auto path = entry_path(cache_, self_check_key(a_device()));
  const std::string whole = content_of(path);
  ASSERT_FALSE(whole.empty());
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    std::ofstream(path, std::ios::binary) << damaged;
    EXPECT_FALSE(stored_self_check(a_device())) << at;
    std::ofstream(path, std::ios::binary) << whole.substr(0, at);
    EXPECT_FALSE(stored_self_check(a_device())) << at;
  }
}

TEST_F(SelfCheckRecord, IsKeptByTheProcessAloneWhereNothingIsWritten) {
  const Variable off("CLMX_CACHE", "off");
  DeviceInfo device = a_device();
  device.id = "of this test";
  store_self_check(device, sample());
  EXPECT_TRUE(stored_self_check(device));
  EXPECT_FALSE(std::filesystem::exists(cache_));
}

TEST(SelfCheckText, RefusesWhatEncodeWouldNotGive) {
  EXPECT_TRUE(decode_self_check(encode(sample())));
  EXPECT_TRUE(decode_self_check(encode({})));
  const std::string good = encode(sample());
  for (const std::string& text : {std::string(), good + "x", good + "unknown 1\n", good + good,
                                  good.substr(0, good.size() - 1), std::string("status fine\n")}) {
    EXPECT_FALSE(decode_self_check(text)) << text;
  }
}

TEST(SelfCheckText, KeepsEachFailureOnOneLine) {
  SelfCheck check = sample();
  check.failures = {"a\nstatus ok\n"};
  const auto decoded = decode_self_check(encode(check));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->status, SelfCheckStatus::failed);
  EXPECT_EQ(decoded->failures.size(), 1U);
}

}  // namespace
}  // namespace clmx
