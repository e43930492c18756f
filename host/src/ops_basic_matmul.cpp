#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "dense_product.hpp"
#include "launch.hpp"

namespace clmx {

Array matmul(const Array& a, const Array& b, bool transpose_b, StreamOrDevice s) {
  DenseProduct p = dense_product(a, b, transpose_b, 1, "matmul");
  p.one_b = b.rank() == 2;
  if (p.one_b) {  // the leading axes of a are further rows
    p.m = a.shape().elements(0, a.rank() - 1);
  } else {
    const auto leading = [](const Array& array) {
      return array.shape().slice(0, array.rank() - 2);
    };
    require(a.rank() == b.rank() && leading(a) == leading(b), "matmul",
            "b must have two axes or the leading axes of a; a has shape ", a.shape(), ", b has ",
            b.shape());
    p.batch = leading(a).elements();
    p.m = a.shape(-2);
  }
  const Array out = multiply(p, s.resolve(), "matmul").reshape(a.shape().with(-1, p.n));
  return tapped("matmul", {a, b}, MatmulOptions{transpose_b}, out);
}

}  // namespace clmx
