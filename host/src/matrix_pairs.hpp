#pragma once

#include <optional>
#include <string_view>

#include "clmx/host/array.hpp"

namespace clmx {

/// A batch of products: i32 [batch, 2], for each which matrix of x and which of the weight.

/// Matrices in the batch shapes `x` and `w`, which broadcast to `result`.
Array broadcast_pairs(const Shape& x, const Shape& w, const Shape& result);

/// One side of a gather: indices into `count` matrices, or each once in the shape `batch`.
struct GatherSide {
  std::optional<Array> indices;
  Shape batch;
  std::string_view name;  ///< for errors
  Shape shape() const { return indices ? indices->shape() : batch; }
  std::int64_t count() const { return batch.elements(); }
};

/// Matrices by index, the sides' shapes broadcast to `result`, which is not empty. Throws
/// ArgumentError for indices that the host holds and that are out of range; those computed on a
/// device are clamped and reported on the stream, under the op's name.
Array gathered_pairs(const GatherSide& x, const GatherSide& w, const Shape& result,
                     const Stream& stream, std::string_view op);

/// Throws ArgumentError unless the indices of the side are integers and, if the host holds them, in
/// range.
void check_indices(const GatherSide& side, std::string_view op);

}  // namespace clmx
