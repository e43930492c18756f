#include <array>

#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/mpq.hpp"
#include "quantized_inputs.hpp"
#include "reference.hpp"

namespace clmx {
namespace {

MpqWeight weight_of(const Inputs& in, const MpqMatmulOptions& o) {
  return {in[1], in[2], in[3], in[4], in[5], in[6], o.params};
}

Outputs run_mpq(const Inputs& in, const MpqMatmulOptions& o, const Stream& s) {
  const std::optional<Array> bias = o.has_bias ? std::optional(in[7]) : std::nullopt;
  return {mpq_matmul(in[0], weight_of(in, o), bias, o.dtype, s)};
}

double half(double value) {
  return static_cast<float>(Half(static_cast<float>(value)));
}

/// Scales, or -1 times zeros, [n, groups]: codes are the statistic's nibbles from `shift` on.
DoubleArray statistics(const Doubles& in, int shift, std::size_t zeros, double sign) {
  const DoubleArray& codes = in[2];
  const std::int64_t groups = codes.shape[0], n = codes.shape[1] * codes.shape[2];
  DoubleArray result{Shape{n, groups}, DType::f16, {}};
  for (std::int64_t j = 0; j < n; ++j) {
    for (std::int64_t g = 0; g < groups; ++g) {
      const auto at = static_cast<std::size_t>(g * n + j);
      const std::size_t cell = at / static_cast<std::size_t>(codes.shape[2]);
      const int code = static_cast<int>(codes.values[at]) >> shift & 15;
      const double difference = half(code - in[zeros].values[cell]);
      result.values.push_back(sign * half(difference * in[zeros + 1].values[cell]));
    }
  }
  return result;
}

std::vector<Expected> reference_mpq(const Doubles& in, const MpqMatmulOptions& o) {
  const DoubleArray scales = statistics(in, 4, 3, 1), biases = statistics(in, 0, 5, -1);
  const QuantizationParams params{QuantizationMode::affine, o.params.group_size, o.params.bits};
  return {reference::quantized_matmul(in[0], {in[1], scales, &biases, params},
                                      {true, o.has_bias ? &in[7] : nullptr, o.dtype})};
}

Cost cost_mpq(const Inputs& in, const MpqMatmulOptions& o) {
  double bytes = 0;
  for (const Array& array : in) bytes += static_cast<double>(array.bytes());
  const Shape& words = in[1].shape();
  const double weights = static_cast<double>(words.elements()) * 32 / o.params.bits;
  const double rows = in[0].rank() > 1 ? static_cast<double>(in[0].shape(-2)) : 1;
  return {bytes, 2 * rows * weights};
}

struct MpqShape {
  MpqParams params = {};
  std::int64_t m = 1, n = 32, k = 64, shared = 32;
  DType x = DType::f16;
  Data data = Data::normal;
  bool has_bias = false;
  std::optional<DType> dtype = {};
};

Inputs inputs_of(const MpqShape& p, Random& random) {
  const std::int64_t groups = p.k / p.params.group_size, columns = p.n / p.shared;
  const Shape cells{groups, columns, 1};
  const bool exact = p.data == Data::integers;
  const auto second_level = [&](double scale) {
    return exact ? random_array(Data::integers, DType::f16, cells, random)
                 : random_array(Data::positive, DType::f16, cells, random, scale);
  };
  Inputs inputs{random_array(p.data, p.x, {p.m, p.k}, random),
                random_words({p.n, p.k * p.params.bits / 32}, random),
                random_integers(DType::u8, {groups, columns, p.shared}, random, 0, 255)};
  for (const double scale : {4.0, 0.01, 4.0, 0.02}) inputs.push_back(second_level(scale));
  if (p.has_bias) inputs.push_back(random_array(Data::normal, DType::f16, {p.n}, random));
  return inputs;
}

void add(const MpqShape& p, CaseTraits traits = {}) {
  add_case({join("mpq_matmul/", p.params.bits, "bits_g", p.params.group_size, '/', p.x, "/m", p.m,
                 'n', p.n, 'k', p.k, "/dq", p.shared, '/', to_string(p.data),
                 p.has_bias ? "/bias" : "", p.dtype ? join("/to_", *p.dtype) : ""),
            OpCall{"mpq_matmul", MpqMatmulOptions{p.params, p.has_bias, p.dtype}},
            [p](std::uint64_t seed) {
              Random random(seed);
              return inputs_of(p, random);
            },
            traits});
}

std::function<Inputs()> refused(const MpqShape& p, std::size_t which, const Array& instead) {
  return [=] {
    Random random(3);
    Inputs inputs = inputs_of(p, random);
    inputs[which] = instead;
    return inputs;
  };
}

Array zeros(DType dtype, const Shape& shape) {
  return array_of(std::vector<double>(static_cast<std::size_t>(shape.elements())), dtype, shape);
}

const RegisterOp<MpqMatmulOptions> mpq_matmul_op{
    .name = "mpq_matmul",
    .run = run_mpq,
    .reference = reference_mpq,
    .cost = cost_mpq,
    .rejected = {
        {"an inner dimension that differs", MpqMatmulOptions{},
         refused({}, 0, zeros(DType::f16, {1, 32}))},
        {"an integer x", MpqMatmulOptions{}, refused({}, 0, zeros(DType::i32, {1, 64}))},
        {"a statistic of other groups", MpqMatmulOptions{},
         refused({}, 2, zeros(DType::u8, {2, 1, 32}))},
        {"second-level scales in f32", MpqMatmulOptions{},
         refused({}, 4, zeros(DType::f32, {1, 1, 1}))},
        {"3 bits", MpqMatmulOptions{{3, 64}}, refused({}, 0, zeros(DType::f16, {1, 64}))},
        {"groups of 16", MpqMatmulOptions{{4, 16}}, refused({}, 0, zeros(DType::f16, {1, 64}))}}};

const RegisterCases cases{[] {
  const std::vector<std::array<std::int64_t, 4>> sizes{
      {1, 32, 128, 32}, {1, 96, 640, 32}, {3, 40, 384, 8}, {9, 33, 256, 1}, {33, 64, 1152, 16}};
  for (const int bits : {2, 4, 8}) {
    for (const int group : {32, 64, 128}) {
      for (const auto& [m, n, k, shared] : sizes) {
        MpqShape p{.params = {bits, group}, .m = m, .n = n, .k = k, .shared = shared};
        add(p, {.full = m > 9});
        p.has_bias = true;
        add(p, {.full = m != 3});
        p.data = Data::integers;
        add(p, {.exact = true, .full = m > 9});
        p.data = Data::lognormal;
        add(p, {.full = true});
      }
      for (const DType x : {DType::f32, DType::bf16})
        add({.params = {bits, group},
             .m = 2,
             .n = 64,
             .k = 256,
             .shared = 64,
             .x = x,
             .dtype = DType::f32},
            {.full = group != 64});
    }
  }
  add({.m = 0});
}};

}  // namespace
}  // namespace clmx
