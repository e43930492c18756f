#include <algorithm>
#include <cmath>

#include "reference_decode.hpp"

namespace clmx::reference {
namespace {

constexpr double unit = 0x1p-24;
constexpr std::int64_t block = 256;

/// A matrix of the weight in float64, and what the rounding errors of its products are relative to.
struct ExactMatrix {
  std::size_t rows = 0, width = 0;
  std::vector<double> values, magnitudes;
};

ExactMatrix exact_matrix(const Weight& w, std::size_t matrix) {
  ExactMatrix exact{static_cast<std::size_t>(w.packed.shape[-2]), width_of(w), {}, {}};
  double factor = 1;
  if (w.global_scale)
    factor = w.global_scale->values[w.global_scale->values.size() > 1 ? matrix : 0] / 2688;
  const auto group_size = static_cast<std::size_t>(w.params.group());
  for (std::size_t i = 0; i < exact.rows; ++i) {
    const std::size_t row = matrix * exact.rows + i;
    for (std::size_t k = 0; k < exact.width; ++k) {
      const std::size_t group = row * (exact.width / group_size) + k / group_size;
      const double scaled =
          scale_value(w, group) * factor * element_value(w.params, code_at(w, row, k));
      const double bias = w.biases ? w.biases->values[group] : 0;
      exact.values.push_back(scaled + bias);
      exact.magnitudes.push_back(std::abs(scaled) + std::abs(bias));
    }
  }
  return exact;
}

/// Links of the longest chain. Transposed: a group, the groups of a block, the tree; else a block,
/// the tree and the rounding of the weight. A global scale rounds twice more.
std::int64_t links(std::int64_t k, const Weight& w, bool transpose) {
  const std::int64_t group = w.params.group(), deep = tree_depth((k + block - 1) / block);
  const std::int64_t chain = transpose ? group + std::min(k, block) / group : std::min(k, block);
  return chain + 1 + deep + (w.global_scale ? 2 : 0);
}

/// For each element of `result`, the element of `from` that broadcasting puts there.
std::vector<std::size_t> spread(const Shape& from, const Shape& result) {
  std::vector<std::size_t> at;
  for (std::int64_t z = 0; z < result.elements(); ++z) {
    std::int64_t rest = z, stride = 1, element = 0;
    for (int back = 1; back <= result.rank(); ++back) {
      const std::int64_t here = rest % result[-back];
      rest /= result[-back];
      if (back > from.rank()) continue;
      if (from[-back] != 1) element += here * stride;
      stride *= from[-back];
    }
    at.push_back(static_cast<std::size_t>(element));
  }
  return at;
}

/// Which matrix an operand gives to each product: by index, or by its place in its batch.
std::vector<std::size_t> chosen(const DoubleArray* indices, const Shape& batch,
                                const Shape& result) {
  std::vector<std::size_t> at = spread(indices ? indices->shape : batch, result);
  if (indices)
    for (std::size_t& one : at) one = static_cast<std::size_t>(indices->values[one]);
  return at;
}

DType result_dtype(const DoubleArray& x, const Weight& w, const ProductDetails& details) {
  DType natural = x.dtype;
  if (w.biases) natural = promote(promote(x.dtype, w.scales.dtype), w.biases->dtype);
  if (details.dtype) return *details.dtype;
  return details.bias ? promote(natural, details.bias->dtype) : natural;
}

/// Row `row` of x times column j: value and budget.
void add_element(Expected& y, const double* row, const ExactMatrix& w, std::size_t j, double units,
                 const ProductDetails& details) {
  const std::size_t inner = details.transpose ? w.width : w.rows;
  double sum = 0, magnitude = 0;
  for (std::size_t k = 0; k < inner; ++k) {
    const std::size_t at = details.transpose ? j * w.width + k : k * w.width + j;
    sum += row[k] * w.values[at];
    magnitude += std::abs(row[k]) * w.magnitudes[at];
  }
  double budget = units * magnitude;
  const double bias = details.bias ? details.bias->values[j] : 0;
  if (details.bias) budget += unit * (std::abs(sum) + std::abs(bias));
  y.values.push_back(sum + bias);
  y.budget.push_back(budget);
}

Expected products(const DoubleArray& x, const Weight& w, const std::vector<std::size_t>& of_x,
                  const std::vector<std::size_t>& of_w, const Shape& shape,
                  const ProductDetails& details) {
  Expected y{shape, result_dtype(x, w, details), {}, {}};
  const auto rows = static_cast<std::size_t>(x.shape.rank() > 1 ? x.shape[-2] : 1);
  const std::int64_t k = x.shape[-1];
  y.units = chain_units(links(k, w, details.transpose));
  y.chain = std::min<std::int64_t>(details.transpose ? w.params.group() : block, k);
  const double units = y.units * unit;
  const auto columns = static_cast<std::size_t>(shape[-1]);
  std::size_t decoded = static_cast<std::size_t>(-1);
  ExactMatrix matrix;
  for (std::size_t z = 0; z < of_x.size(); ++z) {
    if (of_w[z] != decoded) matrix = exact_matrix(w, decoded = of_w[z]);
    for (std::size_t i = 0; i < rows; ++i) {
      const double* row = x.values.data() + (of_x[z] * rows + i) * static_cast<std::size_t>(k);
      for (std::size_t j = 0; j < columns; ++j) add_element(y, row, matrix, j, units, details);
    }
  }
  return y;
}

std::int64_t columns_of(const Weight& w, bool transpose) {
  return transpose ? w.packed.shape[-2] : static_cast<std::int64_t>(width_of(w));
}

Shape batch_of(const DoubleArray& array) {
  return array.shape.rank() > 2 ? array.shape.slice(0, array.shape.rank() - 2) : Shape{};
}

/// Matrix e of a stack.
DoubleArray matrix_of(const DoubleArray& stack, std::size_t e) {
  const Shape shape = stack.shape.slice(stack.shape.rank() - 2, stack.shape.rank());
  const auto size = static_cast<std::ptrdiff_t>(shape.elements());
  const auto begin = stack.values.begin() + static_cast<std::ptrdiff_t>(e) * size;
  return {shape, stack.dtype, {begin, begin + size}};
}

}  // namespace

Expected quantized_matmul(const DoubleArray& x, const Weight& w, const ProductDetails& details) {
  const std::int64_t columns = columns_of(w, details.transpose);
  const Shape batch = broadcast(batch_of(x), batch_of(w.packed), "reference");
  const Shape shape = x.shape.rank() == 1 ? Shape{columns} : joined(batch, {x.shape[-2], columns});
  return products(x, w, spread(batch_of(x), batch), spread(batch_of(w.packed), batch), shape,
                  details);
}

Expected gather_qmm(const DoubleArray& x, const Weight& w, const DoubleArray* lhs,
                    const DoubleArray* rhs, const ProductDetails& details) {
  const Shape left = lhs ? lhs->shape : batch_of(x), right = rhs ? rhs->shape : batch_of(w.packed);
  const Shape batch = broadcast(left, right, "reference");
  return products(x, w, chosen(lhs, batch_of(x), batch), chosen(rhs, batch_of(w.packed), batch),
                  joined(batch, {x.shape[-2], columns_of(w, details.transpose)}), details);
}

Expected gather_mm(const DoubleArray& a, const DoubleArray& b, const DoubleArray* lhs,
                   const DoubleArray* rhs, bool transpose_b) {
  const Shape left = lhs ? lhs->shape : batch_of(a), right = rhs ? rhs->shape : batch_of(b);
  const Shape batch = broadcast(left, right, "reference");
  const auto of_a = chosen(lhs, batch_of(a), batch), of_b = chosen(rhs, batch_of(b), batch);
  const Shape matrix{a.shape[-2], b.shape[transpose_b ? -2 : -1]};
  Expected y{joined(batch, matrix), promote(a.dtype, b.dtype), {}, {}};
  for (std::size_t z = 0; z < of_a.size(); ++z) {
    const Expected one = matmul(matrix_of(a, of_a[z]), matrix_of(b, of_b[z]), transpose_b);
    y.units = one.units;
    y.chain = one.chain;
    y.values.insert(y.values.end(), one.values.begin(), one.values.end());
    y.budget.insert(y.budget.end(), one.budget.begin(), one.budget.end());
  }
  return y;
}

}  // namespace clmx::reference
