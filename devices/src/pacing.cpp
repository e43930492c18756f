#include "pacing.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

#include "cl_error.hpp"
#include "counters.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

/// The first piece of an unknown kernel.
constexpr double first_items = 4096;
/// A piece may be this many times the one before, which may have been too short to measure well.
constexpr std::size_t growth = 16;

std::size_t slices_along(const Grid& grid, std::size_t axis) {
  return grid.global[axis] / std::max<std::size_t>(1, grid.local[axis]);
}

double work_items(const Grid& grid) {
  return static_cast<double>(grid.global[0]) * static_cast<double>(grid.global[1]) *
         static_cast<double>(grid.global[2]);
}

/// The cuttable axis of most work-groups; 3 when nothing can be cut.
std::size_t axis_to_cut(const Grid& grid, const std::array<bool, 3>& cuttable) {
  std::size_t best = 3, most = 1;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (!cuttable[axis] || slices_along(grid, axis) <= most) continue;
    best = axis;
    most = slices_along(grid, axis);
  }
  return best;
}

std::uint64_t magnitude(const KernelArgument& argument) {
  if (const auto* v = std::get_if<std::int32_t>(&argument))
    return static_cast<std::uint64_t>(std::bit_width(static_cast<std::uint32_t>(*v)));
  if (const auto* v = std::get_if<std::int64_t>(&argument))
    return static_cast<std::uint64_t>(std::bit_width(static_cast<std::uint64_t>(*v)));
  if (const auto* v = std::get_if<std::uint32_t>(&argument))
    return static_cast<std::uint64_t>(std::bit_width(*v));
  if (const auto* v = std::get_if<std::uint64_t>(&argument))
    return static_cast<std::uint64_t>(std::bit_width(*v));
  return 0;
}

bool asks_for(std::string_view source, std::string_view function, std::size_t axis) {
  for (std::size_t at = source.find(function); at != std::string_view::npos;
       at = source.find(function, at + 1)) {
    const std::string_view rest = source.substr(at + function.size());
    const bool literal =
        rest.size() > 2 && rest[0] == '(' && rest[2] == ')' && rest[1] >= '0' && rest[1] <= '2';
    if (!literal || static_cast<std::size_t>(rest[1] - '0') == axis) return true;
  }
  return false;
}

}  // namespace

bool is_paced(const DeviceInfo& device) {
  return device.device_class != DeviceClass::cpu_vector;
}

std::array<bool, 3> cuttable_axes(std::string_view source) {
  std::array<bool, 3> axes{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    axes[axis] = true;
    for (const std::string_view function : {"get_group_id", "get_num_groups", "get_global_size",
                                            "get_global_offset", "get_global_linear_id"})
      if (asks_for(source, function, axis)) axes[axis] = false;
  }
  return axes;
}

std::uint64_t pace_key(const Grid& grid, std::span<const KernelArgument> arguments) {
  std::uint64_t key = grid.local[0];
  for (const KernelArgument& argument : arguments) key = key * 131 + magnitude(argument);
  return key;
}

std::size_t next_slices(std::size_t left, std::size_t items, double per_item, std::size_t before) {
  const double wanted =
      per_item > 0 ? longest_launch_seconds / per_item : first_items;  // in work-items
  const double slices = std::floor(wanted / static_cast<double>(items));
  std::size_t most = left;
  if (before > 0) most = std::min(most, before * growth);
  return slices >= static_cast<double>(most)
             ? std::max<std::size_t>(most, 1)
             : std::max<std::size_t>(static_cast<std::size_t>(slices), 1);
}

cl_int Pacer::launch(const Grid& grid, std::span<const KernelArgument> arguments,
                     const Enqueue& enqueue) {
  double& per_item = pace_[pace_key(grid, arguments)];
  const double seconds = per_item * work_items(grid);
  if (per_item > 0 && seconds <= longest_launch_seconds)
    return launch_whole(grid, seconds, enqueue);
  const std::size_t axis = axis_to_cut(grid, cuttable_);
  if (axis == 3) return launch_whole(grid, seconds, enqueue);
  return launch_pieces(grid, axis, per_item, enqueue);
}

// A driver may hand several launches to the device as one piece of work: not beyond the bound.
cl_int Pacer::launch_whole(const Grid& grid, double seconds, const Enqueue& enqueue) {
  const cl_int status = enqueue({grid});
  stream_.unflushed_seconds += seconds;
  if (status != CL_SUCCESS || stream_.unflushed_seconds < longest_launch_seconds) return status;
  stream_.unflushed_seconds = 0;
  return stream_.queue.flush();
}

// Some kernels write what they read: once a piece has run, nobody may launch the whole grid again.
cl_int Pacer::enqueue_further(const GridPiece& piece, const Enqueue& enqueue) {
  cl_int status = enqueue(piece);
  if (!is_out_of_memory(status)) return status;
  stream_.device.pool.trim();
  status = enqueue(piece);
  if (!is_out_of_memory(status)) return status;
  throw OutOfMemory(join("clEnqueueNDRangeKernel of a part of a grid on ",
                         stream_.device.info.selector, ": ", describe_code(status)));
}

cl_int Pacer::launch_pieces(const Grid& grid, std::size_t axis, double& per_item,
                            const Enqueue& enqueue) {
  const std::size_t local = std::max<std::size_t>(1, grid.local[axis]);
  const std::size_t slices = slices_along(grid, axis);
  const auto items = static_cast<std::size_t>(work_items(grid)) / slices;
  cl_int status = stream_.finish_queue();  // so that the first piece is timed alone
  std::size_t done = 0, count = 0;
  while (status == CL_SUCCESS && done < slices) {
    count = next_slices(slices - done, items, per_item, count);
    GridPiece piece{grid};
    piece.offset[axis] = done * local;
    piece.grid.global[axis] = count * local;
    const auto start = std::chrono::steady_clock::now();
    status = done == 0 ? enqueue(piece) : enqueue_further(piece, enqueue);
    if (status == CL_SUCCESS) status = stream_.finish_queue();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    per_item = time.count() / static_cast<double>(count * items);
    done += count;
    ++counters().pieces;
  }
  stream_.unflushed_seconds = 0;
  return status;
}

}  // namespace clmx
