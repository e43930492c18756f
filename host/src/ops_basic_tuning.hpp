#pragma once

#include <cstdint>

#include "clmx/devices/device.hpp"
#include "clmx/devices/kernel.hpp"

namespace clmx {

/// Whether kernels in explicit float16 vectors suit the device.
bool prefers_vectors(const DeviceInfo& device);

/// How n neighbouring elements, or rows, are shared out.
struct ShareTuning {
  bool wide = false;          ///< float16 vectors, work-groups of one work-item
  std::int64_t per_item = 1;  ///< taken one after the other by a work-item
  std::size_t work_group = 1;
};
/// Elementwise ops. Vector CPUs: one work-item up to 8192 elements (a launch costs more than the
/// work), then a few per compute unit; others: an element per work-item.
ShareTuning choose_elementwise(const DeviceInfo& device, std::int64_t n);
/// Ops on rows of `width` elements: as above, whole rows.
ShareTuning choose_rows(const DeviceInfo& device, std::int64_t rows, std::int64_t width);
/// The work-group of a reduction over one row where `wide` is not set: a power of two, at least 16
/// if the device allows it.
std::size_t choose_reduction_group(const DeviceInfo& device, std::int64_t width);

/// The grid of n elements or rows.
Grid share_grid(const ShareTuning& tuning, std::int64_t n);

/// The dense product: rows of a that a work-item takes together, with 16 columns where wide.
struct MatmulTuning {
  bool wide = false;
  int rows = 1;
  std::size_t work_group = 1;
};
MatmulTuning choose_matmul(const DeviceInfo& device, std::int64_t m);
Grid matmul_grid(const MatmulTuning& tuning, std::int64_t batch, std::int64_t m, std::int64_t n);

}  // namespace clmx
