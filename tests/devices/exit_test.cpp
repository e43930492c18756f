#include <gtest/gtest.h>

#include <cstdlib>

#include "support/death_test_folder.hpp"
#include "support/test_devices.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

// Leaves by `how` while launches that nobody has waited for are enqueued.
void enqueue_and(void (*how)(int), const Device& device, const std::filesystem::path& cache) {
  ::setenv("CLMX_CACHE_DIR", cache.c_str(), 1);
  const Stream stream = device.new_stream();
  const Buffer x = upload(stream, counting(64)), y = Buffer::allocate(stream, 256);
  for (int i = 0; i < 100; ++i) {
    stream.launch(scale_kernel(device, 7), Grid::linear(64, 64), BufferArgument{x},
                  BufferArgument{y}, 64u);
  }
  how(7);
}

// With clmx's cache cold, and then warm where the driver's is cold: the driver compiles in a thread
// of its own while the process ends, with what that thread is the first to make.
TEST(ExitDeathTest, WorkThatIsPendingEndsFirst) {
  const DeathTestFolder caches;
  const auto drivers_cache = environment("POCL_CACHE_DIR");
  for (const Device& device : test_devices()) {
    const std::filesystem::path cache = caches / device.info().id;
    int round = 0;
    for (const auto how : {&std::exit, &std::quick_exit, &std::exit}) {
      const auto cold = caches / ("driver" + std::to_string(round++) + device.info().id);
      std::filesystem::create_directories(cold);
      ::setenv("POCL_CACHE_DIR", cold.c_str(), 1);
      EXPECT_EXIT(enqueue_and(how, device, cache), testing::ExitedWithCode(7), "")
          << device.info().selector;
    }
  }
  if (drivers_cache) {
    ::setenv("POCL_CACHE_DIR", drivers_cache->c_str(), 1);
  } else {
    ::unsetenv("POCL_CACHE_DIR");
  }
}

}  // namespace
}  // namespace clmx
