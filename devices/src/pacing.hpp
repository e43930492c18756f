#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "clmx/devices/device.hpp"
#include "clmx/devices/kernel.hpp"
#include "clmx/devices/stream.hpp"
#include "opencl.hpp"

namespace clmx {

struct StreamState;

/// What a launch on a paced device should take at most: drivers of GPUs end a kernel, and with it
/// the context, that runs for seconds.
constexpr double longest_launch_seconds = 0.1;

/// Whether launches on the device are bounded in time: all but vector CPUs, which nobody watches.
bool is_paced(const DeviceInfo& device);

/// The axes along which a kernel of this source may be launched in pieces: those whose group
/// numbers and sizes it never asks for, which a piece would change.
std::array<bool, 3> cuttable_axes(std::string_view source);

/// A grid, or the part of one that begins at `offset`, as clEnqueueNDRangeKernel takes it.
struct GridPiece {
  Grid grid;
  std::array<std::size_t, 3> offset{};
};

/// Seconds per work-item of one kernel, learnt by launches. Scalar arguments decide how long a
/// work-item takes, so each power of two of each of them is learnt by itself.
using Pace = std::unordered_map<std::uint64_t, double>;
std::uint64_t pace_key(const Grid& grid, std::span<const KernelArgument> arguments);

/// Enqueues a grid whole where it is known to be short, else in pieces of longest_launch_seconds,
/// each waited for and measured; what is unknown begins with a small piece. A kernel that cannot be
/// cut is enqueued whole. `enqueue` is called for each piece; returns the first status that is no
/// success. Throws OutOfMemory where that comes after a piece has run. With the stream's mutex
/// held.
class Pacer {
 public:
  using Enqueue = std::function<cl_int(const GridPiece&)>;
  Pacer(StreamState& stream, Pace& pace, const std::array<bool, 3>& cuttable)
      : stream_(stream), pace_(pace), cuttable_(cuttable) {}
  cl_int launch(const Grid& grid, std::span<const KernelArgument> arguments,
                const Enqueue& enqueue);

 private:
  cl_int launch_whole(const Grid& grid, double seconds, const Enqueue& enqueue);
  cl_int enqueue_further(const GridPiece& piece, const Enqueue& enqueue);
  cl_int launch_pieces(const Grid& grid, std::size_t axis, double& per_item,
                       const Enqueue& enqueue);

  StreamState& stream_;
  Pace& pace_;
  const std::array<bool, 3>& cuttable_;
};

/// How many of `left` slices of `items` work-items each come next, at so many seconds a work-item
/// (0: unknown), after a piece of `before` slices (0: none yet).
std::size_t next_slices(std::size_t left, std::size_t items, double per_item, std::size_t before);

}  // namespace clmx
