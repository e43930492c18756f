#include "program_cache.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "binary_store.hpp"
#include "clmx/devices/error.hpp"
#include "device_state.hpp"
#include "kernel_state.hpp"
#include "support/death_test_folder.hpp"
#include "support/temp_folder.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

TEST(CacheKey, ChangesWithEverythingABinaryDependsOn) {
  DeviceInfo device;
  device.platform = "platform";
  device.name = "name";
  device.driver_version = "3.1 (release)";
  const ProgramRequest request{"a.cl", "source", "-D A=1"};
  const std::string key = cache_key(device, request);

  DeviceInfo other = device;
  other.driver_version = "3.2 (release)";
  EXPECT_NE(cache_key(other, request), key);
  other = device;
  other.name = "other";
  EXPECT_NE(cache_key(other, request), key);
  other = device;
  other.platform = "other";
  EXPECT_NE(cache_key(other, request), key);
  EXPECT_NE(cache_key(device, {"a.cl", "source ", "-D A=1"}), key);
  EXPECT_NE(cache_key(device, {"a.cl", "source", "-D A=2"}), key);
}

TEST(CacheKey, HasTheProcessorsFeaturesForCpusOnly) {
  DeviceInfo cpu, gpu;
  gpu.type = DeviceType::gpu;
  EXPECT_NE(cache_key(cpu, {}), cache_key(gpu, {}));
}

// A cache folder of its own, and a program that no other test builds.
class CachedProgram {
 public:
  explicit CachedProgram(const Device& device) : device_(device) {
    ::setenv("CLMX_CACHE_DIR", folder_.path().c_str(), 1);
  }
  CachedProgram(const CachedProgram&) = delete;
  CachedProgram& operator=(const CachedProgram&) = delete;
  ~CachedProgram() { ::setenv("CLMX_CACHE_DIR", before_.c_str(), 1); }

  // Loads or compiles past the process's memory, runs, saves. True when the results are right.
  bool run() {
    DeviceState& state = *device_.state();
    const auto program = load_or_compile(state, request_);
    KernelState kernel{state, program, "three", 0, 2, 64, 0};
    const Stream stream = device_.new_stream();
    const Buffer buffer = upload(stream, counting(64));
    stream.launch(Kernel(std::shared_ptr<KernelState>(std::shared_ptr<void>(), &kernel)),
                  Grid::linear(64, 32), BufferArgument{buffer});
    const bool right = download(stream, buffer) == std::vector<float>(64, 3.0f);
    save_binary(*program);
    return right;
  }
  std::string key() const { return cache_key(device_.state()->actual, request_); }
  std::filesystem::path entry() const { return entry_path(folder_.path(), key()); }
  void damage(const std::string& content) const {
    folder_.write(entry().filename().string(), content);
  }

 private:
  const TempFolder folder_;
  const Device device_;
  const char* const variable_ = ::getenv("CLMX_CACHE_DIR");
  const std::string before_ = variable_ == nullptr ? "" : variable_;
  const ProgramRequest request_{
      "three.cl",
      "kernel void three(global float* x, ulong at) { x[at + get_global_id(0)] = 3.0f; }",
      "-cl-std=CL1.2"};
};

TEST(ProgramCache, ASecondStartLoadsAndCompilesNothing) {
  for (const Device& device : test_devices()) {
    CachedProgram program(device);
    ASSERT_TRUE(program.run());
    ASSERT_TRUE(std::filesystem::exists(program.entry()));
    const auto before = build_stats();
    const auto written = std::filesystem::last_write_time(program.entry());
    EXPECT_TRUE(program.run());
    const auto after = build_stats();
    EXPECT_EQ(after.compiled, before.compiled);
    EXPECT_EQ(after.loaded, before.loaded + 1);
    EXPECT_EQ(std::filesystem::last_write_time(program.entry()), written) << "nothing was new";
  }
}

TEST(ProgramCache, ADamagedEntryIsCompiledAndWrittenAnew) {
  for (const Device& device : test_devices()) {
    CachedProgram program(device);
    ASSERT_TRUE(program.run());
    const std::string good = content_of(program.entry());
    for (const std::size_t at : {std::size_t{0}, good.size() / 2, good.size() - 1}) {
      std::string flipped = good;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
      for (const std::string& damaged : {flipped, good.substr(0, at)}) {
        program.damage(damaged);
        const auto before = build_stats();
        EXPECT_TRUE(program.run());
        EXPECT_EQ(build_stats().compiled, before.compiled + 1);
        EXPECT_TRUE(decode_entry(content_of(program.entry()), program.key())) << at;
      }
    }
  }
}

TEST(ProgramCache, IsPassedOverWhenSwitchedOff) {
  for (const Device& device : test_devices()) {
    CachedProgram program(device);
    ASSERT_TRUE(program.run());
    const auto before = build_stats();
    ::setenv("CLMX_CACHE", "off", 1);
    EXPECT_TRUE(program.run());
    ::unsetenv("CLMX_CACHE");
    EXPECT_EQ(build_stats().compiled, before.compiled + 1);
  }
}

// Runs a kernel and leaves by exit(): 10 when it was loaded from the cache, 11 when compiled.
void run_and_exit(const Device& device, const std::filesystem::path& cache) {
  ::setenv("CLMX_CACHE_DIR", cache.c_str(), 1);
  const Stream stream = device.default_stream();
  const Buffer x = upload(stream, counting(64)), y = Buffer::allocate(stream, 256);
  stream.launch(scale_kernel(device, 7), Grid::linear(64, 64), BufferArgument{x}, BufferArgument{y},
                64u);
  if (download(stream, y) != scaled(counting(64), 7)) std::exit(12);
  std::exit(build_stats().loaded == 1 && build_stats().compiled == 0 ? 10 : 11);
}

TEST(ProgramCacheDeathTest, AProcessThatExitsLeavesItsBinariesToTheNext) {
  const DeathTestFolder caches;
  for (const Device& device : test_devices()) {
    EXPECT_EXIT(run_and_exit(device, caches / device.info().id), testing::ExitedWithCode(11), "");
    EXPECT_EXIT(run_and_exit(device, caches / device.info().id), testing::ExitedWithCode(10), "");
  }
}

}  // namespace
}  // namespace clmx
