#pragma once

#include <cstdint>

#include "clmx/devices/device.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

/// y [m, n] = x [m, k] W^T, or x W.
struct ProductShape {
  std::int64_t m = 0, n = 0, k = 0;
};

enum class ProductKernel {
  plain,    ///< MLX's rows as they are, one work-item per element: any device
  vector,   ///< prepared rows, each row of x by itself
  tile,     ///< prepared rows, eight rows of x at a time
  lanes,    ///< prepared rows, one work-item per row: GPUs
  columns,  ///< x W, MLX's rows as they are: any device
};

struct ProductTuning {
  ProductKernel kernel = ProductKernel::plain;
  int rows = 0;         ///< of a block of the prepared layout
  int work_groups = 1;  ///< of the vector kernel, for each row of x
  int tiles = 1;        ///< of rows of x in a work-group of the tile kernel
  int prefetch = 0;     ///< vectors of 16 words ahead, where the compiler knows how
  int work_items = 1;   ///< in a work-group of the plain kernel
  int tokens = 1;       ///< rows of x that a work-item of the lanes and columns kernels takes: 1,
                        ///< 4 or 8
  int depth = 0;        ///< of the tree that the lanes kernel has room for
  bool split = false;   ///< lanes: blocks of k are shared out too, a second launch adds them
  bool subgroups = false;  ///< lanes: use sub-groups where they work
  int subgroup_size = 0;   ///< wanted of the compiler; 0: its own choice
};

/// Rows of a block of the prepared layout for a weight of n rows: a multiple of 32, on GPUs also a
/// work-group; 0 for MLX's rows as they are. Depends on the weight alone, so that one prepared copy
/// serves every product.
int choose_rows(const DeviceInfo& device, std::int64_t n);

/// Whether there are kernels over prepared rows for these parameters; the plain kernel takes all.
bool has_prepared_kernels(const QuantizationParams& params);

/// The plain kernel, for weights that are not worth preparing.
ProductTuning choose_plain(const DeviceInfo& device);

/// The kernel of products without transpose, of m rows.
ProductTuning choose_columns(const DeviceInfo& device, std::int64_t m);

/// Rows of x that the tile kernel multiplies at a time (TOKENS of cl/qmm.cl).
constexpr std::int64_t tile_rows = 8;

/// How a quantized product runs. shape: no size is 0.
ProductTuning choose_product(const DeviceInfo& device, const ProductShape& shape);

}  // namespace clmx
