#include <limits>

#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "reference.hpp"

namespace clmx {
namespace {

/// `flops` operations per element of the first input, as many results.
auto per_element(double flops) {
  return [flops](const Inputs& in, const auto&) -> Cost {
    double bytes = 0;
    for (const Array& array : in) bytes += static_cast<double>(array.bytes());
    const auto n = static_cast<double>(in[0].size());
    return {bytes + n * 4, n * flops};
  };
}

/// Normal numbers times `scale`.
std::function<Inputs(std::uint64_t)> scaled_normals(const std::vector<DType>& dtypes,
                                                    const std::vector<Shape>& shapes,
                                                    double scale) {
  return [=](std::uint64_t seed) {
    Random random(seed);
    Inputs inputs;
    for (std::size_t i = 0; i < shapes.size(); ++i)
      inputs.push_back(
          random_array(Data::normal, dtypes[i % dtypes.size()], shapes[i], random, scale));
    return inputs;
  };
}

template <class Run, class Reference>
RegisterOp<NoOptions> function_op(const char* name, Run run, Reference reference,
                                  const std::vector<Rejected>& rejected) {
  return {.name = name,
          .run = [run](const Inputs& in, const NoOptions&, const Stream& s) -> Outputs {
            return {run(in[0], s)};
          },
          .reference = [reference](const Doubles& in, const NoOptions&) -> std::vector<Expected> {
            return {reference(in[0])};
          },
          .cost = per_element(12),
          .rejected = std::move(rejected)};
}

// ---- functions of one number

const Rejected integers{"an integer array", NoOptions{}, ones({DType::i32}, {{4}})};

const auto gelu_registered =
    function_op("gelu", [](const Array& x, const Stream& s) { return gelu(x, s); }, reference::gelu,
                {integers});
const auto approx_registered =
    function_op("gelu_approx", [](const Array& x, const Stream& s) { return gelu_approx(x, s); },
                reference::gelu_approx, {integers});
const auto fast_registered = function_op(
    "gelu_fast_approx", [](const Array& x, const Stream& s) { return gelu_fast_approx(x, s); },
    reference::gelu_fast_approx, {integers});

const auto relu_registered =
    function_op("relu", [](const Array& x, const Stream& s) { return relu(x, s); }, reference::relu,
                {integers});
const auto sigmoid_registered =
    function_op("sigmoid", [](const Array& x, const Stream& s) { return sigmoid(x, s); },
                reference::sigmoid, {integers});
const auto tanh_registered =
    function_op("tanh", [](const Array& x, const Stream& s) { return clmx::tanh(x, s); },
                reference::tanh, {integers});

const RegisterCases function_cases{[] {
  for (const char* op : {"gelu", "gelu_approx", "gelu_fast_approx", "relu", "sigmoid", "tanh"}) {
    const OpCall call{op, NoOptions{}};
    for (const DType dtype : float_types) {
      for (const Shape& shape : {Shape{1}, Shape{3, 5, 33}, Shape{7, 1000}, Shape{0, 3}, Shape{}})
        add_case(
            {join(op, '/', dtype, '/', shape), call, floats(Data::normal, {dtype}, {shape}), {}});
      add_case({join(op, '/', dtype, "/zeros"), call, floats(Data::zeros, {dtype}, {{3, 66}}), {}});
      add_case({join(op, '/', dtype, "/wide"),
                call,
                [dtype](std::uint64_t seed) {
                  Random random(seed);
                  std::vector<double> values(std::size_t{64} * 257);
                  for (double& value : values) value = 12.0 * random.uniform() - 6.0;
                  return Inputs{array_of(values, dtype, {64, 257})};
                },
                {}});
    }
    add_case(
        {join(op, "/f32/far"),
         call,
         [](std::uint64_t) {
           return Inputs{array_of({0.0, -0.0, 1000.0, 3e38, 40.0, 11.0, -30.0}, DType::f32, {7})};
         },
         {}});
  }
}};

// ---- clipped_swiglu: gate, x

const RegisterOp<ClippedSwigluOptions> clipped_op{
    .name = "clipped_swiglu",
    .run = [](const Inputs& in, const ClippedSwigluOptions& o, const Stream& s) -> Outputs {
      return {clipped_swiglu(in[0], in[1], o, s)};
    },
    .reference = [](const Doubles& in, const ClippedSwigluOptions& o) -> std::vector<Expected> {
      return {reference::clipped_swiglu(in[0], in[1], o)};
    },
    .cost = per_element(12),
    .rejected = {{"an integer gate", ClippedSwigluOptions{},
                  ones({DType::i32, DType::f32}, {{4}, {4}})},
                 {"unequal shapes", ClippedSwigluOptions{}, ones({DType::f32}, {{4, 3}, {3}})},
                 {"a negative limit", ClippedSwigluOptions{.limit = -1.0f},
                  ones({DType::f32}, {{4}, {4}})},
                 {"a limit that is no number",
                  ClippedSwigluOptions{.limit = std::numeric_limits<float>::quiet_NaN()},
                  ones({DType::f32}, {{4}, {4}})}}};

const RegisterCases clipped_cases{[] {
  for (const DType gate : float_types) {
    for (const DType x : float_types) {
      for (const auto& options :
           {ClippedSwigluOptions{}, ClippedSwigluOptions{.alpha = 1.0f, .limit = 2.5f}}) {
        for (const Shape& shape : {Shape{257}, Shape{3, 5, 48}})
          add_case({join("clipped_swiglu/", gate, '_', x, '/', shape, "/limit", options.limit),
                    OpCall{"clipped_swiglu", options},
                    scaled_normals({gate, x}, {shape, shape}, 4),
                    {}});
      }
    }
  }
}};

// ---- layer_norm: x [, weight] [, bias]

const RegisterOp<LayerNormOptions> layer_norm_op{
    .name = "layer_norm",
    .run = [](const Inputs& in, const LayerNormOptions& o, const Stream& s) -> Outputs {
      std::optional<Array> weight, bias;
      if (o.weight) weight = in[1];
      if (o.bias) bias = in.back();
      return {layer_norm(in[0], weight, bias, o.eps, s)};
    },
    .reference = [](const Doubles& in, const LayerNormOptions& o) -> std::vector<Expected> {
      return {reference::layer_norm(in[0], o.weight ? &in[1] : nullptr,
                                    o.bias ? &in.back() : nullptr, o.eps)};
    },
    .cost = per_element(8),
    .rejected = {{"a weight of another length", LayerNormOptions{.weight = true},
                  ones({DType::f32}, {{3, 8}, {4}})},
                 {"a bias of another length", LayerNormOptions{.weight = true, .bias = true},
                  ones({DType::f32}, {{3, 8}, {8}, {4}})},
                 {"a bias of two axes", LayerNormOptions{.bias = true},
                  ones({DType::f32}, {{3, 8}, {1, 8}})},
                 {"an integer weight", LayerNormOptions{.weight = true},
                  ones({DType::f32, DType::u32}, {{3, 8}, {8}})},
                 {"a scalar", LayerNormOptions{}, ones({DType::f32}, {Shape{}})},
                 {"an integer array", LayerNormOptions{}, ones({DType::i32}, {{3, 8}})}}};

/// Weight and bias of two types that are not x's, and a weight of x's with a bias of another.
void add_mixed_layer_norms() {
  for (const DType x : float_types) {
    for (const DType weight : float_types) {
      for (const DType bias : float_types) {
        if (weight == bias) continue;
        add_case({join("layer_norm/", x, '_', weight, '_', bias, "/mixed"),
                  OpCall{"layer_norm", LayerNormOptions{.weight = true, .bias = true}},
                  floats(Data::normal, {x, weight, bias}, {{5, 50}, {50}, {50}}),
                  {}});
      }
    }
  }
}

void add_layer_norm(const Shape& shape, Data data, DType x, DType parameter) {
  for (const bool weight : {false, true}) {
    for (const bool bias : {false, true}) {
      if (!weight && !bias && parameter != x) continue;
      std::vector<Shape> shapes{shape};
      for (int i = 0; i < int{weight} + int{bias}; ++i) shapes.push_back({shape[-1]});
      std::vector<DType> dtypes(shapes.size(), parameter);
      dtypes.front() = x;
      add_case({join("layer_norm/", x, '_', parameter, '/', shape, '/', to_string(data),
                     weight ? "/weight" : "", bias ? "/bias" : ""),
                OpCall{"layer_norm", LayerNormOptions{.weight = weight, .bias = bias}},
                floats(data, dtypes, shapes),
                {}});
    }
  }
}

const RegisterCases layer_norm_cases{[] {
  for (const DType x : float_types) {
    for (const Shape& shape : {Shape{1}, Shape{7, 576}, Shape{3, 5, 48}, Shape{1, 17},
                               Shape{33, 65}, Shape{2, 4097}, Shape{0, 8}})
      for (const Data data : {Data::normal, Data::positive}) add_layer_norm(shape, data, x, x);
    for (const DType parameter : float_types)
      if (parameter != x) add_layer_norm({5, 100}, Data::normal, x, parameter);
    for (const Data data : {Data::lognormal, Data::zeros, Data::one_hot, Data::extreme})
      add_layer_norm({9, 100}, data, x, x);
  }
  add_mixed_layer_norms();
}};

// ---- softmax

const auto softmax_registered =
    function_op("softmax", [](const Array& x, const Stream& s) { return softmax(x, s); },
                reference::softmax, {});

const RegisterCases softmax_cases{[] {
  const OpCall call{"softmax", NoOptions{}};
  for (const DType dtype : float_types) {
    for (const Shape& shape : {Shape{1}, Shape{7, 32}, Shape{3, 5, 48}, Shape{1, 17}, Shape{33, 65},
                               Shape{2, 4097}, Shape{0, 8}, Shape{3, 0}}) {
      for (const double scale : {1.0, 5.0})
        add_case({join("softmax/", dtype, '/', shape, "/scale", scale),
                  call,
                  scaled_normals({dtype}, {shape}, scale),
                  {}});
    }
    add_case(
        {join("softmax/", dtype, "/scalar"), call, floats(Data::normal, {dtype}, {Shape{}}), {}});
    add_case(
        {join("softmax/", dtype, "/zeros"), call, floats(Data::zeros, {dtype}, {{5, 33}}), {}});
  }
  for (const DType dtype : {DType::u8, DType::u32, DType::i32})
    add_case({join("softmax/", dtype),
              call,
              [dtype](std::uint64_t seed) {
                Random random(seed);
                const std::int64_t low = dtype == DType::i32 ? -9 : 0;
                return Inputs{random_integers(dtype, {5, 33}, random, low, 9)};
              },
              {}});
  add_case({"softmax/f32/special",
            call,
            [](std::uint64_t) {
              const double nan = std::numeric_limits<double>::quiet_NaN();
              const double inf = std::numeric_limits<double>::infinity();
              return Inputs{array_of({-inf, -inf, -inf, 1, nan, 2, 1, inf, 2, -inf, 1, -inf},
                                     DType::f32, {4, 3})};
            },
            {}});
}};

}  // namespace
}  // namespace clmx
