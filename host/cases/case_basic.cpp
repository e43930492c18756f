#include <cmath>
#include <limits>

#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "reference.hpp"

namespace clmx {
namespace {

double bytes_in(const Inputs& in) {
  double bytes = 0;
  for (const Array& array : in) bytes += static_cast<double>(array.bytes());
  return bytes;
}

/// One result element per element of the largest input, `flops` operations each.
auto elementwise(double flops) {
  return [flops](const Inputs& in, const auto&) -> Cost {
    double elements = 0;
    for (const Array& array : in) elements = std::max(elements, static_cast<double>(array.size()));
    return {bytes_in(in) + elements * 4, elements * flops};
  };
}

// ---- cast

const RegisterOp<CastOptions> cast_op{
    .name = "cast",
    .run = [](const Inputs& in, const CastOptions& o, const Stream& s) -> Outputs {
      return {cast(in[0], o.dtype, s)};
    },
    .reference = [](const Doubles& in, const CastOptions& o) -> std::vector<Expected> {
      return {reference::cast(in[0], o.dtype)};
    },
    .cost = elementwise(1)};

/// Every kind of rounding: ties, the neighbours of each, the largest and beyond.
Array rounding_points(DType dtype) {
  std::vector<double> values{0.0, -0.0, 65504.0, 65519.0, 65520.0, 70000.0, 3.3895313892515355e38};
  for (int exponent = -14; exponent <= 15; ++exponent) {
    for (const double mantissa : {1.0, 1.00048828125, 1.000244140625, 1.000732421875, 1.00390625,
                                  1.001953125, 1.005859375, 1.9999999}) {
      values.push_back(std::ldexp(mantissa, exponent));
      values.push_back(-std::ldexp(mantissa * (1 + 0x1p-23), exponent));
    }
  }
  const auto n = static_cast<std::int64_t>(values.size());
  return array_of(values, dtype, {n});
}

/// All 65536 patterns of a 16-bit float, NaN included.
template <class T>
Array all_patterns() {
  std::vector<T> values(65536);
  for (std::size_t i = 0; i < values.size(); ++i) values[i].bits = static_cast<std::uint16_t>(i);
  return Array::from(values, {65536});
}

const RegisterCases cast_cases{[] {
  for (const DType from : float_types) {
    for (const DType to :
         {DType::f32, DType::f16, DType::bf16, DType::u8, DType::u32, DType::i32}) {
      const OpCall call{"cast", CastOptions{to}};
      add_case({join("cast/", from, "_to_", to, "/rounding_points"),
                call,
                [from](std::uint64_t) { return Inputs{rounding_points(from)}; },
                {}});
      add_case({join("cast/", from, "_to_", to, "/normal"),
                call,
                [from](std::uint64_t seed) {
                  Random random(seed);
                  return Inputs{random_array(Data::normal, from, {257, 3}, random, 100.0)};
                },
                {}});
    }
  }
  for (const DType to : float_types) {
    const OpCall call{"cast", CastOptions{to}};
    add_case({join("cast/all_f16_to_", to),
              call,
              [](std::uint64_t) { return Inputs{all_patterns<Half>()}; },
              {.subnormal = true}});
    add_case({join("cast/all_bf16_to_", to),
              call,
              [](std::uint64_t) { return Inputs{all_patterns<BFloat16>()}; },
              {.subnormal = true}});
  }
  for (const DType from : {DType::u8, DType::u32, DType::i32}) {
    for (const DType to : {DType::f32, DType::i32, DType::u32}) {
      add_case({join("cast/", from, "_to_", to),
                OpCall{"cast", CastOptions{to}},
                [from, to](std::uint64_t seed) {
                  Random random(seed);
                  // a negative number has no place in u32
                  const std::int64_t low = from == DType::i32 && to != DType::u32 ? -1000000 : 0;
                  const std::int64_t high = from == DType::u8 ? 255 : 1000000;
                  return Inputs{random_integers(from, {33, 5}, random, low, high)};
                },
                {}});
    }
  }
}};

// ---- add, multiply

template <class Run, class Reference>
RegisterOp<NoOptions> binary_op(const char* name, Run run, Reference reference, bool broadcasts) {
  std::vector<Rejected> rejected{
      {"an integer operand", NoOptions{}, ones({DType::i32, DType::f32}, {{4}, {4}})},
      {"shapes that do not fit", NoOptions{}, ones({DType::f32}, {{4, 3}, {4}})}};
  if (!broadcasts)
    rejected.push_back({"unequal shapes", NoOptions{}, ones({DType::f32}, {{4, 3}, {3}})});
  return {.name = name,
          .run = [run](const Inputs& in, const NoOptions&, const Stream& s) -> Outputs {
            return {run(in[0], in[1], s)};
          },
          .reference = [reference](const Doubles& in, const NoOptions&) -> std::vector<Expected> {
            return {reference(in[0], in[1])};
          },
          .cost = elementwise(1),
          .rejected = std::move(rejected)};
}

const auto add_registered = binary_op(
    "add", [](const Array& a, const Array& b, const Stream& s) { return add(a, b, s); },
    reference::add, true);
const auto multiply_registered = binary_op(
    "multiply", [](const Array& a, const Array& b, const Stream& s) { return multiply(a, b, s); },
    reference::multiply, true);
const auto swiglu_registered = binary_op(
    "swiglu", [](const Array& a, const Array& b, const Stream& s) { return swiglu(a, b, s); },
    reference::swiglu, false);

const RegisterCases binary_cases{[] {
  const std::vector<std::pair<Shape, Shape>> shapes{
      {{1}, {1}},      {{257}, {257}},        {{3, 5, 33}, {3, 5, 33}},
      {{7, 64}, {64}}, {{4, 1, 17}, {3, 1}},  {Shape{}, {2, 3}},
      {{0, 4}, {4}},   {{64, 576}, {64, 576}}};
  for (const char* op : {"add", "multiply", "swiglu"}) {
    for (const auto& [a, b] : shapes) {
      if (std::string_view(op) == "swiglu" && a != b) continue;
      for (const Data data : {Data::normal, Data::positive}) {
        add_case({join(op, "/f32/", a, b, '/', to_string(data)),
                  OpCall{op, NoOptions{}},
                  floats(data, {DType::f32}, {a, b}),
                  {}});
      }
    }
    for (const DType a : float_types) {
      for (const DType b : float_types) {
        add_case({join(op, '/', a, '_', b),
                  OpCall{op, NoOptions{}},
                  floats(Data::normal, {a, b}, {{9, 37}, {9, 37}}),
                  {}});
      }
    }
  }
}};

// ---- silu, swiglu_halves, argmax

template <class Run, class Reference>
RegisterOp<NoOptions> unary_op(const char* name, Run run, Reference reference,
                               const std::vector<Rejected>& rejected) {
  return {.name = name,
          .run = [run](const Inputs& in, const NoOptions&, const Stream& s) -> Outputs {
            return {run(in[0], s)};
          },
          .reference = [reference](const Doubles& in, const NoOptions&) -> std::vector<Expected> {
            return {reference(in[0])};
          },
          .cost = elementwise(8),
          .rejected = rejected};
}

const auto silu_registered =
    unary_op("silu", [](const Array& x, const Stream& s) { return silu(x, s); }, reference::silu,
             {{"an integer array", NoOptions{}, ones({DType::i32}, {{4}})}});
const auto halves_registered =
    unary_op("swiglu_halves", [](const Array& x, const Stream& s) { return swiglu_halves(x, s); },
             reference::swiglu_halves,
             {{"an integer array", NoOptions{}, ones({DType::u8}, {{4}})},
              {"an odd last axis", NoOptions{}, ones({DType::f32}, {{2, 5}})},
              {"a scalar", NoOptions{}, ones({DType::f32}, {Shape{}})}});
const auto argmax_registered = unary_op(
    "argmax", [](const Array& x, const Stream& s) { return argmax(x, s); }, reference::argmax,
    {{"a scalar", NoOptions{}, ones({DType::f32}, {Shape{}})},
     {"nothing to choose from", NoOptions{}, ones({DType::f32}, {{3, 0}})}});

/// From -80 to 80, where exp neither overflows nor becomes subnormal.
Inputs wide_sweep(DType dtype, const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (double& value : values) value = 160.0 * random.uniform() - 80.0;
  return {array_of(values, dtype, shape)};
}

const RegisterCases unary_cases{[] {
  for (const DType dtype : float_types) {
    for (const char* op : {"silu", "swiglu_halves", "argmax"}) {
      const OpCall call{op, NoOptions{}};
      for (const Shape& shape : {Shape{2}, Shape{3, 5, 34}, Shape{7, 1000}, Shape{1, 2, 49152}}) {
        const std::vector<DType> types{dtype};
        add_case(
            {join(op, '/', dtype, '/', shape), call, floats(Data::normal, types, {shape}), {}});
      }
      add_case({join(op, '/', dtype, "/zeros"), call, floats(Data::zeros, {dtype}, {{3, 66}}), {}});
      add_case({join(op, '/', dtype, "/integers"),
                call,
                floats(Data::integers, {dtype}, {{17, 130}}),
                {}});
      add_case({join(op, '/', dtype, "/one_hot"),
                call,
                floats(Data::one_hot, {dtype}, {{65, 258}}),
                {}});
      if (std::string_view(op) == "swiglu_halves") continue;
      add_case({join(op, '/', dtype, "/wide"),
                call,
                [dtype](std::uint64_t seed) {
                  return wide_sweep(dtype, {64, 257}, seed);
                },
                {}});
    }
  }
}};

const RegisterCase silu_far{
    "silu/f32/far", OpCall{"silu", NoOptions{}}, [](std::uint64_t) {
      return Inputs{array_of({0.0, -0.0, 1000.0, -1000.0, 3e38, -200.0}, DType::f32, {6})};
    }};
const RegisterCase argmax_nan{
    "argmax/f32/nan", OpCall{"argmax", NoOptions{}}, [](std::uint64_t) {
      const double nan = std::numeric_limits<double>::quiet_NaN(), inf = INFINITY;
      return Inputs{
          array_of({nan, 1, 2, 2, nan, nan, nan, nan, -inf, -inf, nan, -inf, 1, inf, inf, nan},
                   DType::f32, {4, 4})};
    }};

// ---- gather

const RegisterOp<NoOptions> gather_op{
    .name = "gather",
    .run = [](const Inputs& in, const NoOptions&, const Stream& s) -> Outputs {
      return {gather(in[0], in[1], s)};
    },
    .reference = [](const Doubles& in, const NoOptions&) -> std::vector<Expected> {
      return {reference::gather(in[0], in[1])};
    },
    .cost = elementwise(1),
    .rejected = {{"rows that are not integers", NoOptions{}, ones({DType::f32}, {{3, 4}, {2}})},
                 {"a row past the end", NoOptions{},
                  [] {
                    return Inputs{array_of({1, 2, 3, 4}, DType::f32, {2, 2}),
                                  array_of({2}, DType::u32, {1})};
                  }},
                 {"a row before the beginning", NoOptions{},
                  [] {
                    return Inputs{array_of({1, 2, 3, 4}, DType::f32, {2, 2}),
                                  array_of({-3}, DType::i32, {1})};
                  }},
                 {"a table of one axis", NoOptions{}, ones({DType::f32, DType::u32}, {{4}, {2}})}}};

const RegisterCases gather_cases{[] {
  for (const DType dtype :
       {DType::f32, DType::f16, DType::bf16, DType::u8, DType::u32, DType::i32}) {
    for (const Shape& rows : {Shape{}, Shape{1}, Shape{2, 7}, Shape{0}}) {
      for (const DType index : {DType::i32, DType::u32, DType::u8}) {
        add_case({join("gather/", dtype, '/', rows, '/', index),
                  OpCall{"gather", NoOptions{}},
                  [=](std::uint64_t seed) {
                    Random random(seed);
                    const Shape table{41, 19};
                    const std::int64_t low = index == DType::i32 ? -41 : 0;
                    return Inputs{is_float(dtype) ? random_array(Data::normal, dtype, table, random)
                                                  : random_integers(dtype, table, random, 0, 200),
                                  random_integers(index, rows, random, low, 40)};
                  },
                  {}});
      }
    }
  }
}};

// ---- matmul

const RegisterOp<MatmulOptions> matmul_op{
    .name = "matmul",
    .run = [](const Inputs& in, const MatmulOptions& o, const Stream& s) -> Outputs {
      return {matmul(in[0], in[1], o.transpose_b, s)};
    },
    .reference = [](const Doubles& in, const MatmulOptions& o) -> std::vector<Expected> {
      return {reference::matmul(in[0], in[1], o.transpose_b)};
    },
    .cost = [](const Inputs& in, const MatmulOptions& o) -> Cost {
      const double n = static_cast<double>(in[1].shape(o.transpose_b ? -2 : -1));
      const double rows = static_cast<double>(in[0].size()) /
                          static_cast<double>(std::max<std::int64_t>(in[0].shape(-1), 1));
      return {bytes_in(in) + rows * n * 4, 2 * n * static_cast<double>(in[0].size())};
    },
    .rejected = {{"inner dimensions that differ", MatmulOptions{},
                  ones({DType::f32}, {{2, 3}, {4, 5}})},
                 {"inner dimensions that differ, transposed", MatmulOptions{true},
                  ones({DType::f32}, {{2, 3}, {3, 4}})},
                 {"an integer operand", MatmulOptions{},
                  ones({DType::f32, DType::i32}, {{2, 3}, {3, 4}})},
                 {"b with one axis", MatmulOptions{}, ones({DType::f32}, {{2, 3}, {3}})},
                 {"leading axes that differ", MatmulOptions{},
                  ones({DType::f32}, {{5, 2, 3}, {4, 3, 4}})}}};

/// m, k, n
using MatmulSize = std::array<std::int64_t, 3>;

void add_matmul(const MatmulSize& size, DType a, DType b, Data data, CaseTraits traits = {}) {
  const auto [m, k, n] = size;
  for (const bool transposed : {false, true}) {
    add_case({join("matmul/", a, '_', b, "/m", m, "k", k, "n", n, '/', to_string(data),
                   transposed ? "/transposed" : ""),
              OpCall{"matmul", MatmulOptions{transposed}},
              floats(data, {a, b}, {{m, k}, transposed ? Shape{n, k} : Shape{k, n}}), traits});
  }
}

const RegisterCases matmul_cases{[] {
  const std::vector<MatmulSize> sizes{{1, 1, 1},      {1, 64, 33},   {2, 255, 9},    {3, 256, 17},
                                      {5, 257, 31},   {8, 513, 64},  {17, 1000, 40}, {33, 96, 129},
                                      {1, 1536, 576}, {257, 64, 65}, {64, 300, 128}};
  for (const MatmulSize& size : sizes) {
    for (const Data data : {Data::normal, Data::positive, Data::lognormal})
      add_matmul(size, DType::f32, DType::f32, data);
    add_matmul(size, DType::f32, DType::f32, Data::integers, {.exact = true});
    add_matmul(size, DType::f16, DType::f16, Data::normal);
    add_matmul(size, DType::bf16, DType::f32, Data::normal);
  }
  for (const DType a : float_types) {
    for (const DType b : float_types)
      add_matmul({6, 130, 21}, a, b, Data::positive, {.full = a != b});
    add_matmul({4, 300, 18}, a, a, Data::one_hot);
    add_matmul({4, 300, 18}, a, a, Data::zeros, {.exact = true});
  }
  add_matmul({4, 0, 3}, DType::f32, DType::f32, Data::zeros, {.exact = true});
  add_matmul({0, 5, 3}, DType::f32, DType::f32, Data::zeros, {.exact = true});
  add_matmul({257, 4096, 130}, DType::f32, DType::f32, Data::positive, {.full = true});
  for (const bool batched : {false, true}) {
    const Shape b = batched ? Shape{3, 2, 50, 9} : Shape{50, 9};
    add_case({join("matmul/f32/batched_a", b),
              OpCall{"matmul", MatmulOptions{}},
              floats(Data::normal, {DType::f32}, {{3, 2, 7, 50}, b}),
              {}});
  }
}};

}  // namespace
}  // namespace clmx
