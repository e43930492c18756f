#include "dense_product.hpp"

#include "checks.hpp"
#include "launch.hpp"
#include "loop_limit.hpp"
#include "ops_basic_tuning.hpp"
#include "row_parts.hpp"

namespace clmx {
namespace {

/// What of b a launch multiplies by: some of its matrices, or some columns of the result.
struct PartOfB {
  Array b;
  RowRange matrices, columns;
};

/// b in pieces that a device can hold: matrices of a stack, rows of a transposed matrix.
std::vector<PartOfB> parts_of_b(const DenseProduct& p, const Device& device) {
  std::vector<PartOfB> parts;
  const RowRange all_columns{0, p.n};
  if (p.pairs) {
    const Array stack = p.b.reshape({p.b.shape().elements(0, p.b.rank() - 2), p.n * p.k});
    for (const RowRange& part : row_parts(stack, device))
      parts.push_back({stack.rows(part.begin, part.end), part, all_columns});
  } else if (p.transpose_b && p.one_b) {
    for (const RowRange& part : row_parts(p.b, device))
      parts.push_back({p.b.rows(part.begin, part.end), {}, part});
  } else {
    parts.push_back({p.b, {}, all_columns});
  }
  return parts;
}

void check_turns(const Stream& stream, std::int64_t k, std::string_view op) {
  constexpr std::int64_t k_per_block = 256;
  require_turns(stream.device(), turns_of_sum(k, k / k_per_block + 1), op, "an inner size", k);
}

}  // namespace

DenseProduct dense_product(const Array& a, const Array& b, bool transpose_b, int a_rank,
                           std::string_view op) {
  require_float(a, op, "a");
  require_float(b, op, "b");
  require_rank_at_least(a, a_rank, op, "a");
  require_rank_at_least(b, 2, op, "b");
  DenseProduct p{a, b, transpose_b};
  p.k = a.shape(-1);
  p.n = b.shape(transpose_b ? -2 : -1);
  const std::int64_t b_k = b.shape(transpose_b ? -1 : -2);
  require(p.k == b_k, op, "a has shape ", a.shape(), ", b has ", b.shape(),
          transpose_b ? " (transposed)" : "", ": the inner sizes ", p.k, " and ", b_k, " differ");
  return p;
}

Array multiply(const DenseProduct& p, const Stream& stream, std::string_view op) {
  const DType result = promote(p.a.dtype(), p.b.dtype());
  if (p.batch * p.m * p.n > 0) check_turns(stream, p.k, op);
  Array out = Array::empty({p.batch * p.m, p.n}, result, stream);
  if (out.size() == 0) return out;

  const MatmulTuning tuning = choose_matmul(stream.device().info(), p.m);
  const Constants constants{{"A", p.a.dtype()},
                            {"B", p.b.dtype()},
                            {"Y", result},
                            {"TRANSPOSE_B", p.transpose_b},
                            {"WIDE", tuning.wide},
                            {"TILE", tuning.rows},
                            {"PAIRS", p.pairs.has_value()}};
  const Kernel kernel = stream.device().kernel({kernels(), "matmul.cl", "matmul", constants});
  for (const PartOfB& part : parts_of_b(p, stream.device())) {
    BufferArgument columns = out.on(stream);
    columns.offset += static_cast<std::uint64_t>(part.columns.begin);
    launch(stream, kernel, matmul_grid(tuning, p.batch, p.m, part.columns.count()), p.a, part.b,
           p.pairs.value_or(p.a), columns, p.m, part.columns.count(), p.k, p.one_b ? 0 : p.n * p.k,
           p.n, static_cast<std::int32_t>(part.matrices.begin),
           static_cast<std::int32_t>(part.matrices.count()));
  }
  return out;
}

}  // namespace clmx
