#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "quantized_inputs.hpp"
#include "reference.hpp"

namespace clmx {
namespace {

double sizes(const Inputs& in) {
  double bytes = 0;
  for (const Array& array : in) bytes += static_cast<double>(array.bytes());
  return bytes;
}

std::function<Inputs()> with_weight(const Inputs& before, const QuantizationParams& params,
                                    std::int64_t n, std::int64_t k) {
  return [=] {
    Random random(7);
    Inputs inputs = before;
    append_weight(inputs, {Data::normal, DType::f32, params, n, k}, random);
    return inputs;
  };
}

Array ones(DType dtype, const Shape& shape) {
  return array_of(std::vector<double>(static_cast<std::size_t>(shape.elements()), 1.0), dtype,
                  shape);
}

std::string name_of(const QuantizationParams& p) {
  return join(p.mode, p.bit_count(), "_g", p.group());
}

// ---- quantize: w -> packed, scales, biases

const RegisterOp<QuantizationParams> quantize_op{
    .name = "quantize",
    .run = [](const Inputs& in, const QuantizationParams& o, const Stream& s) -> Outputs {
      const QuantizedArrays made = quantize_arrays(in[0], o, s);
      if (made.biases) return {made.packed, made.scales, *made.biases};
      return {made.packed, made.scales};
    },
    .reference = [](const Doubles& in,
                    const QuantizationParams& o) { return reference::quantize(in[0], o); },
    .cost = [](const Inputs& in, const auto&) -> Cost {
      return {sizes(in) * 1.2, static_cast<double>(in[0].size()) * 6};
    },
    .rejected = {{"integer weights", QuantizationParams{},
                  [] {
                    return Inputs{ones(DType::i32, {4, 64})};
                  }},
                 {"one axis", QuantizationParams{}, [] { return Inputs{ones(DType::f32, {64})}; }},
                 {"a width that the group does not divide", QuantizationParams{},
                  [] {
                    return Inputs{ones(DType::f32, {4, 96})};
                  }},
                 {"a group size that is not MLX's",
                  QuantizationParams{QuantizationMode::affine, 48, 4},
                  [] {
                    return Inputs{ones(DType::f32, {4, 96})};
                  }},
                 {"7 bits", QuantizationParams{QuantizationMode::affine, 64, 7},
                  [] {
                    return Inputs{ones(DType::f32, {4, 64})};
                  }},
                 {"0 bits", QuantizationParams{QuantizationMode::affine, 64, 0},
                  [] {
                    return Inputs{ones(DType::f32, {4, 64})};
                  }},
                 {"mxfp4 in groups of 64", QuantizationParams{QuantizationMode::mxfp4, 64}, [] {
                    return Inputs{ones(DType::f32, {4, 64})};
                  }}}};

/// Rows of ties, boundaries of the scale, constants, zeros of both signs, large and tiny ranges.
Inputs special_groups(DType dtype) {
  std::vector<double> values;
  const std::vector<double> tops{1,         6,   6.0000005, 5.9999995, 0.75, 12,
                                 0.0078125, 100, 96,        48.5,      3,    1e-3};
  for (const double top : tops) {
    for (int i = 0; i < 64; ++i) values.push_back(top * (i % 25 - 12) / 12.0);
    for (int i = 0; i < 64; ++i) values.push_back(i == 5 ? top : -0.0);
    for (int i = 0; i < 64; ++i) values.push_back(i == 5 ? -top : i % 2 ? 0.0 : -0.0);
    for (int i = 0; i < 64; ++i) values.push_back(top);
    for (int i = 0; i < 64; ++i) values.push_back(-top);
    for (int i = 0; i < 64; ++i) values.push_back(top + i * top / 64);
    for (int i = 0; i < 64; ++i) values.push_back(i % 2 ? top : -top);
    for (int i = 0; i < 64; ++i) values.push_back(i * 0.25 * top - 4 * top);
  }
  for (int i = 0; i < 128; ++i) values.push_back(i < 64 ? 0.0 : -0.0);
  const auto rows = static_cast<std::int64_t>(values.size() / 128);
  return {array_of(values, dtype, {rows, 128})};
}

const RegisterCases quantize_cases{[] {
  for (const QuantizationParams& params : all_params) {
    for (const DType dtype : float_types) {
      const OpCall call{"quantize", params};
      const std::string prefix = join("quantize/", name_of(params), '/', dtype, '/');
      for (const Data data : {Data::normal, Data::positive, Data::lognormal, Data::integers,
                              Data::zeros, Data::one_hot, Data::extreme})
        add_case(
            {prefix + std::string(to_string(data)), call, floats(data, {dtype}, {{37, 192}}), {}});
      add_case({prefix + "batched", call, floats(Data::normal, {dtype}, {{2, 3, 5, 64}}), {}});
      add_case({prefix + "no_rows", call, floats(Data::normal, {dtype}, {{0, 64}}), {}});
      add_case(
          {prefix + "special", call, [dtype](std::uint64_t) { return special_groups(dtype); }, {}});
      add_case(
          {prefix + "many", call, floats(Data::normal, {dtype}, {{4096, 1024}}), {.full = true}});
    }
    // every step of the arithmetic may be subnormal here
    add_case({join("quantize/", name_of(params), "/f32/subnormal"),
              OpCall{"quantize", params},
              [](std::uint64_t seed) {
                Random random(seed);
                return Inputs{random_array(Data::normal, DType::f32, {9, 128}, random, 1e-38)};
              },
              {.subnormal = true}});
  }
}};

// ---- dequantize: packed, scales, biases -> w

reference::Weight weight_of(const Doubles& in, std::size_t at, const DequantizeOptions& o) {
  return {in[at], in[at + 1], is_affine(o.params) ? &in[at + 2] : nullptr, o.params};
}

QuantizedWeight made_weight(const Inputs& in, std::size_t at, const DequantizeOptions& o) {
  std::optional<Array> biases;
  if (is_affine(o.params)) biases = in[at + 2];
  return {in[at], in[at + 1], biases, o.params};
}

const RegisterOp<DequantizeOptions> dequantize_op{
    .name = "dequantize",
    .run = [](const Inputs& in, const DequantizeOptions& o, const Stream& s) -> Outputs {
      std::optional<Array> biases;
      if (is_affine(o.params)) biases = in[2];
      return {dequantize(QuantizedArrays{in[0], in[1], biases}, o.params, o.dtype, s)};
    },
    .reference = [](const Doubles& in, const DequantizeOptions& o) -> std::vector<Expected> {
      return {reference::dequantize(weight_of(in, 0, o), o.dtype)};
    },
    .cost = [](const Inputs& in, const DequantizeOptions& o) -> Cost {
      const double elements = static_cast<double>(in[1].size()) * o.params.group();
      return {sizes(in) + 4 * elements, 2 * elements};
    },
    .rejected = {{"affine parts as mxfp4", DequantizeOptions{mxfp4},
                  with_weight({}, affine4_64, 4, 128)},
                 {"packed words that are not u32", DequantizeOptions{},
                  [] {
                    return Inputs{ones(DType::i32, {4, 16}), ones(DType::f32, {4, 2}),
                                  ones(DType::f32, {4, 2})};
                  }},
                 {"scales for other rows", DequantizeOptions{},
                  [] {
                    return Inputs{ones(DType::u32, {4, 16}), ones(DType::f32, {2, 2}),
                                  ones(DType::f32, {2, 2})};
                  }},
                 {"a result that is not a float", DequantizeOptions{affine4_64, DType::i32},
                  with_weight({}, affine4_64, 4, 128)}}};

/// Every code with every scale byte.
Inputs all_mxfp4() {
  std::vector<double> words, bytes;
  for (int byte = 0; byte < 256; ++byte) {
    bytes.push_back(byte);
    for (int word = 0; word < 4; ++word) words.push_back(word % 2 ? 0xfedcba98u : 0x76543210u);
  }
  return {array_of(words, DType::u32, {256, 4}), array_of(bytes, DType::u8, {256, 1})};
}

const RegisterCases dequantize_cases{[] {
  for (const QuantizationParams& params : all_params) {
    for (const DType stored : float_types) {
      if (params.mode == QuantizationMode::mxfp4 && stored != DType::f32) continue;
      for (const std::optional<DType> dtype :
           {std::optional<DType>{}, std::optional(DType::f32), std::optional(DType::f16),
            std::optional(DType::bf16)}) {
        for (const Data data : {Data::normal, Data::extreme}) {
          add_case({join("dequantize/", name_of(params), '/', stored, "_to_",
                         dtype ? to_string(*dtype) : "default", '/', to_string(data)),
                    OpCall{"dequantize", DequantizeOptions{params, dtype}},
                    [=](std::uint64_t seed) {
                      Random random(seed);
                      Inputs inputs;
                      append_weight(inputs, {data, stored, params, 37, 192}, random);
                      return inputs;
                    },
                    {}});
        }
      }
    }
  }
  for (const DType dtype : float_types)
    add_case({join("dequantize/mxfp4/all_codes_and_scales_to_", dtype),
              OpCall{"dequantize", DequantizeOptions{mxfp4, dtype}},
              [](std::uint64_t) { return all_mxfp4(); },
              {.subnormal = true}});
}};

// ---- gather_dequantize: rows, packed, scales, biases -> rows of w

const RegisterOp<DequantizeOptions> gather_dequantize_op{
    .name = "gather_dequantize",
    .run = [](const Inputs& in, const DequantizeOptions& o, const Stream& s) -> Outputs {
      return {gather_dequantize(in[0], made_weight(in, 1, o), o.dtype, s)};
    },
    .reference = [](const Doubles& in, const DequantizeOptions& o) -> std::vector<Expected> {
      return {reference::gather_dequantize(in[0], weight_of(in, 1, o), o.dtype)};
    },
    .cost = [](const Inputs& in, const DequantizeOptions& o) -> Cost {
      const double elements =
          static_cast<double>(in[0].size() * in[2].shape(-1)) * o.params.group();
      return {5 * elements, 2 * elements};
    },
    .rejected = {{"a row past the end", DequantizeOptions{},
                  with_weight({array_of({4}, DType::u32, {1})}, affine4_64, 4, 128)},
                 {"a row before the beginning", DequantizeOptions{},
                  with_weight({array_of({-5}, DType::i32, {1})}, affine4_64, 4, 128)},
                 {"rows that are not integers", DequantizeOptions{},
                  with_weight({ones(DType::f32, {1})}, affine4_64, 4, 128)}}};

const RegisterCases gather_dequantize_cases{[] {
  for (const QuantizationParams& params : all_params) {
    for (const DType stored : float_types) {
      if (params.mode == QuantizationMode::mxfp4 && stored != DType::f32) continue;
      for (const std::optional<DType> dtype : {std::optional<DType>{}, std::optional(DType::f32)}) {
        for (const Shape& rows : {Shape{}, Shape{5}, Shape{2, 3}, Shape{0}}) {
          add_case({join("gather_dequantize/", name_of(params), '/', stored, "_to_",
                         dtype ? to_string(*dtype) : "default", '/', rows),
                    OpCall{"gather_dequantize", DequantizeOptions{params, dtype}},
                    [=](std::uint64_t seed) {
                      Random random(seed);
                      Inputs inputs{random_integers(DType::i32, rows, random, -150, 149)};
                      append_weight(inputs, {Data::normal, stored, params, 150, 192}, random);
                      return inputs;
                    },
                    {}});
        }
      }
    }
  }
}};

}  // namespace
}  // namespace clmx
