#include "clmx/host/ops_products.hpp"
#include "dense_product.hpp"
#include "launch.hpp"
#include "matrix_pairs.hpp"

namespace clmx {
namespace {

constexpr const char* op = "gather_mm";

Shape batch_of(const Array& array) {
  return array.shape().slice(0, array.rank() - 2);
}

void show(const Array& a, const Array& b, const GatherIndices& at, bool transpose_b,
          const Array& out) {
  if (!current_tap()) return;
  std::vector<Array> inputs{a, b};
  for (const std::optional<Array>& side : {at.lhs, at.rhs})
    if (side) inputs.push_back(*side);
  const GatherMmOptions seen{transpose_b, at.lhs.has_value(), at.rhs.has_value()};
  current_tap()->op(op, std::any(seen), inputs, out);
}

}  // namespace

Array gather_mm(const Array& a, const Array& b, const GatherIndices& at, bool transpose_b,
                StreamOrDevice s) {
  DenseProduct p = dense_product(a, b, transpose_b, 2, op);
  const GatherSide of_a{at.lhs, batch_of(a), "lhs indices"};
  const GatherSide of_b{at.rhs, batch_of(b), "rhs indices"};
  check_indices(of_a, op);
  check_indices(of_b, op);
  const Shape chosen = broadcast(of_a.shape(), of_b.shape(), op);
  p.batch = chosen.elements();
  p.m = a.shape(-2);
  p.one_b = false;
  const Shape shape = joined(chosen, {p.m, p.n});

  const Stream stream = s.resolve();
  if (shape.elements() > 0) p.pairs = gathered_pairs(of_a, of_b, chosen, stream, op);
  Array out = multiply(p, stream, op).reshape(shape);
  show(a, b, at, transpose_b, out);
  return out;
}

Array gather_mm(const Array& a, const Array& b, const std::optional<Array>& lhs_indices,
                const std::optional<Array>& rhs_indices, bool sorted_indices, StreamOrDevice s) {
  return gather_mm(a, b, {lhs_indices, rhs_indices, sorted_indices}, false, s);
}

}  // namespace clmx
