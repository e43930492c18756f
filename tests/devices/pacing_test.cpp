#include "pacing.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "counters.hpp"
#include "stream_state.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

TEST(CuttableAxes, AreThoseWhoseGroupsAreNotAskedFor) {
  using Axes = std::array<bool, 3>;
  EXPECT_EQ(cuttable_axes("get_global_id(0)"), (Axes{true, true, true}));
  EXPECT_EQ(cuttable_axes("x[get_group_id(0)]"), (Axes{false, true, true}));
  EXPECT_EQ(cuttable_axes("get_global_size(1) + get_num_groups(2)"), (Axes{true, false, false}));
  EXPECT_EQ(cuttable_axes("get_group_id(axis)"), (Axes{false, false, false}));
  EXPECT_EQ(cuttable_axes("#define ID get_group_id"), (Axes{false, false, false}));
}

TEST(NextSlices, BeginsSmallAndThenAimsAtTheBound) {
  EXPECT_EQ(next_slices(1000, 64, 0, 0), 64u);        // unknown: 4096 work-items
  EXPECT_EQ(next_slices(1000, 64, 1e-3, 0), 1u);      // 64 ms each
  EXPECT_EQ(next_slices(1000, 64, 1e-5, 0), 156u);    // 0.64 ms each
  EXPECT_EQ(next_slices(1000, 64, 1e-9, 2), 32u);     // not too many times the one before
  EXPECT_EQ(next_slices(5, 64, 1e-9, 2), 5u);         // what is left
  EXPECT_EQ(next_slices(1000, 1 << 20, 1.0, 0), 1u);  // one at least
}

TEST(PaceKey, TellsMagnitudesOfScalarsApart) {
  const Grid grid = Grid::linear(64, 64);
  const auto key = [&](std::int32_t width) {
    const std::array<KernelArgument, 2> arguments{KernelArgument(width), KernelArgument(1.0f)};
    return pace_key(grid, arguments);
  };
  EXPECT_EQ(key(1030), key(2000));
  EXPECT_NE(key(1030), key(4000));
}

TEST(Pacing, IsForAllButVectorCpus) {
  DeviceInfo device;
  device.device_class = DeviceClass::cpu_vector;
  EXPECT_FALSE(is_paced(device));
  device.device_class = DeviceClass::gpu_plain;
  EXPECT_TRUE(is_paced(device));
}

// A launch of seconds, on any device: the pacer is asked directly.
TEST(Pacing, CutsALongLaunchIntoPiecesWithTheSameResult) {
  for (const Device& device : test_devices()) {
    SCOPED_TRACE(device.info().selector);
    constexpr std::size_t groups = 512, group = 16, items = groups * group;
    constexpr std::int32_t turns = 60'000;
    const Kernel kernel = device.kernel({test_library(), "slow.cl", "slow", {}});
    const Stream stream = device.new_stream();
    StreamState& state = *stream.state();
    const auto run = [&](const Buffer& to, auto&& launch) {
      const std::array<KernelArgument, 2> arguments{BufferArgument{to}, KernelArgument(turns)};
      launch(Grid::linear(items, group), std::span<const KernelArgument>(arguments));
      std::vector<std::uint32_t> values(items);
      stream.read(to, 0, std::as_writable_bytes(std::span(values)));
      return values;
    };
    const Buffer buffer = Buffer::allocate(stream, items * sizeof(std::uint32_t));
    const std::uint64_t pieces_before = counters().pieces;
    const auto whole = run(
        buffer, [&](const Grid& grid, auto arguments) { stream.launch(kernel, grid, arguments); });

    const std::uint64_t cut_into = counters().pieces - pieces_before;
    EXPECT_EQ(cut_into > 0, is_paced(device.info()));
    Pace pace;
    std::vector<double> seconds;
    stream.fill(buffer, 0, buffer.size(), 0);
    const auto pieces = run(buffer, [&](const Grid& grid, auto arguments) {
      const std::lock_guard lock(state.mutex);
      const auto enqueue = [&](const GridPiece& piece) {
        const auto start = std::chrono::steady_clock::now();
        const cl_int status = clEnqueueNDRangeKernel(
            state.queue(), state.kernels[kernel.state()->number].object(), 3, piece.offset.data(),
            piece.grid.global.data(), piece.grid.local.data(), 0, nullptr, nullptr);
        state.queue.finish();
        const auto time = std::chrono::steady_clock::now() - start;
        seconds.push_back(std::chrono::duration<double>(time).count());
        return status;
      };
      EXPECT_EQ(
          Pacer(state, pace, kernel.state()->program->cuttable).launch(grid, arguments, enqueue),
          CL_SUCCESS);
    });
    EXPECT_EQ(pieces, whole);
    double total = 0, longest = 0;
    for (const double time : seconds) {
      total += time;
      longest = std::max(longest, time);
    }
    RecordProperty("pieces", static_cast<int>(seconds.size()));
    RecordProperty("longest_ms", static_cast<int>(1e3 * longest));
    RecordProperty("total_ms", static_cast<int>(1e3 * total));
    if (is_paced(device.info())) {
      EXPECT_GE(cut_into, total > 3 * longest_launch_seconds ? 3u : 1u);
    }
    EXPECT_GE(seconds.size(), total > 3 * longest_launch_seconds ? 3u : 1u);
    EXPECT_LT(longest, 0.5 * total + 3 * longest_launch_seconds);
  }
}

}  // namespace
}  // namespace clmx
