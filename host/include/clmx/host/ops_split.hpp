#pragma once

#include <span>
#include <vector>

#include "clmx/host/ops_quantized.hpp"

namespace clmx {

/// Arrays side by side: equal dtypes, and equal shapes but for the last axis, which is added up.
///
/// parts: at least one, of any dtype and rank >= 1; each may live on another device and is copied
/// to that of `s` as any argument of an op. Throws ArgumentError when they do not fit.
Array concatenate(std::span<const Array> parts, StreamOrDevice s = {});

/// A device's part of the rows of a weight, in proportion to the other parts.
struct RowShare {
  StreamOrDevice where;
  double share = 1;  ///< not negative
};

/// Where each share of `rows` begins, and `rows` itself last: shares.size() + 1 numbers. Cuts are
/// multiples of 16 rows, so that no block of a prepared layout is cut. Throws ArgumentError when
/// there is no share, one is negative or not finite, or all are 0.
std::vector<std::int64_t> cut_rows(std::int64_t rows, std::span<const RowShare> shares);

/// quantized_matmul with the weight's rows shared out: each device multiplies x by its rows at the
/// same time as the others, and `s` joins the results. The bits are those of the product on one
/// device.
///
/// Each device holds its own rows only, from the first product on; they are kept with the weight,
/// so equal shares must be used again and again. x goes to every device, its part of the result to
/// that of `s`. Otherwise as quantized_matmul.
Array quantized_matmul(const Array& x, const QuantizedWeight& w, const QmmOptions& options,
                       std::span<const RowShare> shares, StreamOrDevice s = {});

}  // namespace clmx
