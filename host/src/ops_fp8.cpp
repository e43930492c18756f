#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "launch.hpp"
#include "ops_basic_tuning.hpp"

namespace clmx {
namespace {

Array convert(const char* entry, const Array& x, DType result, const StreamOrDevice& s) {
  const Stream stream = s.resolve();
  Array out = Array::empty(x.shape(), result, stream);
  if (out.size() == 0) return out;
  const ShareTuning tuning = choose_elementwise(stream.device().info(), out.size());
  const Constants constants{{"T", is_float(result) ? result : x.dtype()}};
  const Kernel kernel = stream.device().kernel({kernels(), "fp8.cl", entry, constants});
  launch(stream, kernel, share_grid(tuning, out.size()), x, out, out.size(), tuning.per_item);
  return out;
}

}  // namespace

Array to_fp8(const Array& x, StreamOrDevice s) {
  require_float(x, "to_fp8", "x");
  return tapped("to_fp8", {x}, NoOptions{}, convert("to_fp8", x, DType::u8, s));
}

Array from_fp8(const Array& x, DType dtype, StreamOrDevice s) {
  require(x.dtype() == DType::u8, "from_fp8", "x must be u8, not ", x.dtype());
  require(is_float(dtype), "from_fp8", "the result must be a float array, not ", dtype);
  return tapped("from_fp8", {x}, CastOptions{dtype}, convert("from_fp8", x, dtype, s));
}

}  // namespace clmx
