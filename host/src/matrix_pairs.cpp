#include "matrix_pairs.hpp"

#include <array>
#include <limits>
#include <vector>

#include "checks.hpp"
#include "clmx/devices/error_word.hpp"
#include "host_indices.hpp"
#include "launch.hpp"

namespace clmx {
namespace {

/// For every element of `result`, in order, the element of `from` that broadcasting puts there.
std::vector<std::int32_t> positions(const Shape& from, const Shape& result) {
  const auto count = static_cast<std::size_t>(result.elements());
  std::vector<std::int32_t> at(count);
  std::int64_t stride = 1, before = 1;  // of from and of result, the last axis first
  for (int back = 1; back <= from.rank(); ++back) {
    const std::int64_t size = result[-back];
    if (from[-back] != 1) {
      for (std::size_t z = 0; z < count; ++z) {
        const std::int64_t here = static_cast<std::int64_t>(z) / before % size;
        at[z] += static_cast<std::int32_t>(here * stride);
      }
    }
    stride *= from[-back];
    before *= size;
  }
  return at;
}

Array interleaved(const std::vector<std::int32_t>& x, const std::vector<std::int32_t>& w) {
  std::vector<std::int32_t> pairs;
  pairs.reserve(2 * x.size());
  for (std::size_t z = 0; z < x.size(); ++z) {
    pairs.push_back(x[z]);
    pairs.push_back(w[z]);
  }
  return Array::from(pairs, {static_cast<std::int64_t>(x.size()), 2});
}

bool is_computed(const GatherSide& side) {
  return side.indices && side.indices->home().has_value();
}

/// The matrices that a side of which the host knows the indices takes part with.
std::vector<std::int32_t> chosen(const GatherSide& side, const Shape& result) {
  std::vector<std::int32_t> at = positions(side.shape(), result);
  if (!side.indices) return at;
  const std::vector<std::int64_t> values = host_indices(*side.indices);
  for (std::int32_t& one : at)
    one = static_cast<std::int32_t>(values[static_cast<std::size_t>(one)]);
  return at;
}

Array pairs_on_device(const GatherSide& x, const GatherSide& w, const Shape& result,
                      const Stream& stream, std::string_view op) {
  const Array at = interleaved(positions(x.shape(), result), positions(w.shape(), result));
  Array pairs = Array::empty(at.shape(), DType::i32, stream);
  const DType unused = DType::i32;
  const Kernel kernel = stream.device().kernel({kernels(),
                                                "matrix_pairs.cl",
                                                "matrix_pairs",
                                                {{"HAS_X", x.indices.has_value()},
                                                 {"XI", x.indices ? x.indices->dtype() : unused},
                                                 {"HAS_W", w.indices.has_value()},
                                                 {"WI", w.indices ? w.indices->dtype() : unused}}});
  const ErrorWord error = error_word(stream, op);
  const auto count = static_cast<std::size_t>(result.elements());
  launch(stream, kernel, Grid::linear(count, 1), x.indices.value_or(at), w.indices.value_or(at), at,
         pairs, static_cast<std::int32_t>(x.count()), static_cast<std::int32_t>(w.count()),
         error.word, error.code);
  look_for_errors(stream);
  return pairs;
}

}  // namespace

Array broadcast_pairs(const Shape& x, const Shape& w, const Shape& result) {
  return interleaved(positions(x, result), positions(w, result));
}

Array gathered_pairs(const GatherSide& x, const GatherSide& w, const Shape& result,
                     const Stream& stream, std::string_view op) {
  require(result.elements() <= std::numeric_limits<std::int32_t>::max(), op, "the indices choose ",
          result.elements(), " pairs of matrices");
  if (is_computed(x) || is_computed(w)) return pairs_on_device(x, w, result, stream, op);
  return interleaved(chosen(x, result), chosen(w, result));
}

void check_indices(const GatherSide& side, std::string_view name_of_op) {
  require(side.count() <= std::numeric_limits<std::int32_t>::max(), name_of_op, "there are ",
          side.count(), " matrices for ", side.name);
  if (!side.indices) return;
  require_index(*side.indices, name_of_op, side.name);
  require(side.indices->size() == 0 || side.count() > 0, name_of_op, side.name,
          " choose from no matrices");
  if (is_computed(side)) return;
  for (const std::int64_t index : host_indices(*side.indices))
    require(0 <= index && index < side.count(), name_of_op, side.name, " has index ", index, " of ",
            side.count(), " matrices");
}

void check_gather_indices(const Array& indices, std::int64_t count, std::string_view name,
                          std::string_view op) {
  check_indices({indices, Shape{count}, name}, op);
}

}  // namespace clmx
