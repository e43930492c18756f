#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "launch.hpp"
#include "ops_basic_broadcast.hpp"
#include "ops_basic_tuning.hpp"

namespace clmx {

/// A function of cl/unary.cl, under its name there.
struct ElementFunction {
  std::string_view text;
};
static ConstantValue to_constant(ElementFunction name) {
  return {0, name.text};
}

namespace {

/// Two outer axes and more go to the kernel as a table.
KernelArgument axes_table(const BroadcastPlan& plan, const Stream& stream) {
  if (plan.outer.size() < 2) return BufferArgument{};
  const auto bytes = std::as_bytes(std::span(plan.outer));
  return Array::from_bytes(bytes, Shape{static_cast<std::int64_t>(bytes.size())}, DType::u8)
      .on(stream);
}

Array binary(const char* op, bool add, const Array& a, const Array& b, StreamOrDevice s) {
  require_float(a, op, "a");
  require_float(b, op, "b");
  const Shape shape = broadcast(a.shape(), b.shape(), op);
  const Stream stream = s.resolve();
  Array out = Array::empty(shape, promote(a.dtype(), b.dtype()), stream);
  if (out.size() == 0) return out;

  const BroadcastPlan plan = plan_broadcast(a.shape(), b.shape(), shape);
  const ShareTuning tuning = choose_elementwise(stream.device().info(), out.size());
  const Constants constants{
      {"A", a.dtype()}, {"B", b.dtype()}, {"Y", out.dtype()}, {"ADD", add}, {"WIDE", tuning.wide}};
  const Kernel kernel = stream.device().kernel({kernels(), "binary.cl", "binary", constants});
  const auto first = plan.outer.empty() ? BroadcastPlan::Axis{1, 0, 0} : plan.outer.front();
  launch(stream, kernel, share_grid(tuning, out.size()), a, b, axes_table(plan, stream), out,
         out.size(), tuning.per_item, plan.inner, plan.a_step, plan.b_step,
         static_cast<std::int32_t>(plan.outer.size()), first.a_stride, first.b_stride);
  return tapped(op, {a, b}, NoOptions{}, out);
}

/// Rows of `inner` gates and factors, one every `stride` elements.
struct GatedRows {
  BufferArgument gate, x;
  DType gate_type, x_type;
  std::int64_t inner, stride;
};

template <class... Parameters>
void launch_swiglu(const Stream& stream, const GatedRows& rows, const Array& out,
                   const Parameters&... clip) {
  const ShareTuning tuning = choose_elementwise(stream.device().info(), out.size());
  const Constants constants{{"G", rows.gate_type},
                            {"X", rows.x_type},
                            {"Y", out.dtype()},
                            {"CLIPPED", sizeof...(clip) > 0},
                            {"WIDE", tuning.wide}};
  const Kernel kernel = stream.device().kernel({kernels(), "glu.cl", "swiglu", constants});
  launch(stream, kernel, share_grid(tuning, out.size()), rows.gate, rows.x, out, out.size(),
         tuning.per_item, rows.inner, rows.stride, clip...);
}

Array unary(const char* op, const Array& x, StreamOrDevice s) {
  require_float(x, op, "x");
  const Stream stream = s.resolve();
  Array out = Array::empty(x.shape(), x.dtype(), stream);
  if (out.size() == 0) return out;
  const ShareTuning tuning = choose_elementwise(stream.device().info(), x.size());
  const std::string function = join("clmx_", op);
  const Constants constants{
      {"X", x.dtype()}, {"FUNCTION", ElementFunction{function}}, {"WIDE", tuning.wide}};
  const Kernel kernel = stream.device().kernel({kernels(), "unary.cl", "unary", constants});
  launch(stream, kernel, share_grid(tuning, x.size()), x, out, x.size(), tuning.per_item);
  return tapped(op, {x}, NoOptions{}, out);
}

void check_gate(const char* op, const Array& gate, const Array& x) {
  require_float(gate, op, "gate");
  require_float(x, op, "x");
  require(gate.shape() == x.shape(), op, "gate has shape ", gate.shape(), ", x has ", x.shape(),
          "; they must be equal");
}

}  // namespace

Array cast(const Array& x, DType dtype, StreamOrDevice s) {
  if (x.dtype() == dtype) return x;
  const Stream stream = s.resolve();
  Array out = Array::empty(x.shape(), dtype, stream);
  if (out.size() == 0) return out;
  const ShareTuning tuning = choose_elementwise(stream.device().info(), x.size());
  const Constants constants{{"X", x.dtype()}, {"Y", dtype}, {"WIDE", tuning.wide}};
  const Kernel kernel = stream.device().kernel({kernels(), "cast.cl", "cast", constants});
  launch(stream, kernel, share_grid(tuning, x.size()), x, out, x.size(), tuning.per_item);
  return tapped("cast", {x}, CastOptions{dtype}, out);
}

Array add(const Array& a, const Array& b, StreamOrDevice s) {
  return binary("add", true, a, b, s);
}

Array multiply(const Array& a, const Array& b, StreamOrDevice s) {
  return binary("multiply", false, a, b, s);
}

Array silu(const Array& x, StreamOrDevice s) {
  return unary("silu", x, s);
}

Array gelu(const Array& x, StreamOrDevice s) {
  return unary("gelu", x, s);
}

Array gelu_approx(const Array& x, StreamOrDevice s) {
  return unary("gelu_approx", x, s);
}

Array gelu_fast_approx(const Array& x, StreamOrDevice s) {
  return unary("gelu_fast_approx", x, s);
}

Array relu(const Array& x, StreamOrDevice s) {
  return unary("relu", x, s);
}

Array sigmoid(const Array& x, StreamOrDevice s) {
  return unary("sigmoid", x, s);
}

Array tanh(const Array& x, StreamOrDevice s) {
  return unary("tanh", x, s);
}

Array swiglu(const Array& gate, const Array& x, StreamOrDevice s) {
  check_gate("swiglu", gate, x);
  const Stream stream = s.resolve();
  Array out = Array::empty(x.shape(), promote(gate.dtype(), x.dtype()), stream);
  if (out.size() == 0) return out;
  launch_swiglu(stream,
                {gate.on(stream), x.on(stream), gate.dtype(), x.dtype(), out.size(), out.size()},
                out);
  return tapped("swiglu", {gate, x}, NoOptions{}, out);
}

Array clipped_swiglu(const Array& gate, const Array& x, const ClippedSwigluOptions& options,
                     StreamOrDevice s) {
  check_gate("clipped_swiglu", gate, x);
  require(options.limit >= 0, "clipped_swiglu", "limit must not be negative, it is ",
          options.limit);
  const Stream stream = s.resolve();
  Array out = Array::empty(x.shape(), promote(gate.dtype(), x.dtype()), stream);
  if (out.size() == 0) return out;
  launch_swiglu(stream,
                {gate.on(stream), x.on(stream), gate.dtype(), x.dtype(), out.size(), out.size()},
                out, options.alpha, options.limit);
  return tapped("clipped_swiglu", {gate, x}, options, out);
}

Array swiglu_halves(const Array& x, StreamOrDevice s) {
  require_float(x, "swiglu_halves", "x");
  require_rank_at_least(x, 1, "swiglu_halves", "x");
  require(x.shape(-1) % 2 == 0, "swiglu_halves", "the last axis of x must be even, not ",
          x.shape(-1));
  const std::int64_t width = x.shape(-1), inner = width / 2;
  const Stream stream = s.resolve();
  Array out = Array::empty(x.shape().with(-1, inner), x.dtype(), stream);
  if (out.size() == 0) return out;
  const BufferArgument first = x.on(stream);
  BufferArgument second = first;
  second.offset += static_cast<std::uint64_t>(inner);
  launch_swiglu(stream, {first, second, x.dtype(), x.dtype(), inner, width}, out);
  return tapped("swiglu_halves", {x}, NoOptions{}, out);
}

}  // namespace clmx
