#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "launch.hpp"
#include "loop_limit.hpp"
#include "ops_basic_tuning.hpp"
#include "row_parts.hpp"

namespace clmx {
namespace {

struct MatmulShape {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  std::int64_t b_batch = 0;  ///< elements between the matrices of b; 0: one for all
};

MatmulShape matmul_shape(const Array& a, const Array& b, bool transpose_b) {
  require_float(a, "matmul", "a");
  require_float(b, "matmul", "b");
  require_rank_at_least(a, 1, "matmul", "a");
  require_rank_at_least(b, 2, "matmul", "b");
  MatmulShape shape;
  shape.k = a.shape(-1);
  shape.n = b.shape(transpose_b ? -2 : -1);
  const std::int64_t b_k = b.shape(transpose_b ? -1 : -2);
  require(shape.k == b_k, "matmul", "a has shape ", a.shape(), ", b has ", b.shape(),
          transpose_b ? " (transposed)" : "", ": the inner sizes ", shape.k, " and ", b_k,
          " differ");
  if (b.rank() == 2) {  // the leading axes of a are further rows
    shape.m = a.shape().elements(0, a.rank() - 1);
    return shape;
  }
  require(
      a.rank() == b.rank() && a.shape().slice(0, a.rank() - 2) == b.shape().slice(0, b.rank() - 2),
      "matmul", "b must have two axes or the leading axes of a; a has shape ", a.shape(),
      ", b has ", b.shape());
  shape.batch = a.shape().elements(0, a.rank() - 2);
  shape.m = a.shape(-2);
  shape.b_batch = shape.n * shape.k;
  return shape;
}

void check_turns(const Stream& stream, std::int64_t k) {
  constexpr std::int64_t k_per_block = 256;
  require_turns(stream.device(), turns_of_sum(k, k / k_per_block + 1), "matmul", "an inner size",
                k);
}

}  // namespace

Array matmul(const Array& a, const Array& b, bool transpose_b, StreamOrDevice s) {
  const MatmulShape shape = matmul_shape(a, b, transpose_b);
  const Stream stream = s.resolve();
  Array out = Array::empty(a.shape().with(-1, shape.n), promote(a.dtype(), b.dtype()), stream);
  if (out.size() == 0) return out;
  check_turns(stream, shape.k);

  const MatmulTuning tuning = choose_matmul(stream.device().info(), shape.m);
  const Constants constants{{"A", a.dtype()},      {"B", b.dtype()},
                            {"Y", out.dtype()},    {"TRANSPOSE_B", transpose_b},
                            {"WIDE", tuning.wide}, {"TILE", tuning.rows}};
  const Kernel kernel = stream.device().kernel({kernels(), "matmul.cl", "matmul", constants});
  // Rows of a transposed b are columns of the result: they may come in parts.
  const bool parts = transpose_b && b.rank() == 2;
  for (const RowRange& part :
       parts ? row_parts(b, stream.device()) : std::vector<RowRange>{{0, shape.n}}) {
    BufferArgument columns = out.on(stream);
    columns.offset += static_cast<std::uint64_t>(part.begin);
    launch(stream, kernel, matmul_grid(tuning, shape.batch, shape.m, part.count()), a,
           parts ? b.rows(part.begin, part.end) : b, columns, shape.m, part.count(), shape.k,
           shape.b_batch, shape.n);
  }
  return tapped("matmul", {a, b}, MatmulOptions{transpose_b}, out);
}

}  // namespace clmx
