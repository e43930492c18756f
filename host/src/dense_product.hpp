#pragma once

#include <optional>
#include <string_view>

#include "clmx/host/array.hpp"

namespace clmx {

/// Checked products of matrices a [m, k] with matrices b, [k, n] or [n, k].
struct DenseProduct {
  Array a, b;
  bool transpose_b = false;
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  bool one_b = true;  ///< one matrix b for all of a; else as many as there are products
  std::optional<Array> pairs = {};  ///< i32 [batch, 2], see matrix_pairs.hpp: the matrices of each
                                    ///< product, b a stack of any number
};

/// With n and k set. Throws ArgumentError, naming op, unless a and b are float arrays of at least
/// a_rank and two axes with equal inner sizes.
DenseProduct dense_product(const Array& a, const Array& b, bool transpose_b, int a_rank,
                           std::string_view op);

/// Enqueues everything: [batch * m, n] in the promoted dtype. Any size may be 0. Throws
/// ArgumentError, naming op, where the device cannot sum that long.
Array multiply(const DenseProduct& p, const Stream& stream, std::string_view op);

}  // namespace clmx
