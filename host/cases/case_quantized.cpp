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

// ---- dequantize: packed, scales, biases -> w

reference::Weight weight_of(const Doubles& in, std::size_t at, const DequantizeOptions& o) {
  const bool more = in.size() > at + 2;
  return {in[at], in[at + 1], is_affine(o.params) ? &in[at + 2] : nullptr, o.params,
          more && !is_affine(o.params) ? &in[at + 2] : nullptr};
}

QuantizedWeight made_weight(const Inputs& in, std::size_t at, const DequantizeOptions& o) {
  std::optional<Array> biases, global_scale;
  if (in.size() > at + 2) (is_affine(o.params) ? biases : global_scale) = in[at + 2];
  return {in[at], in[at + 1], biases, o.params, global_scale};
}

const RegisterOp<DequantizeOptions> dequantize_op{
    .name = "dequantize",
    .run = [](const Inputs& in, const DequantizeOptions& o, const Stream& s) -> Outputs {
      std::optional<Array> biases, global_scale;
      if (in.size() > 2) (is_affine(o.params) ? biases : global_scale) = in[2];
      return {dequantize(in[0], in[1], biases, o.params.group(), o.params.bit_count(),
                         o.params.mode, global_scale, o.dtype, s)};
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

/// Every code with every scale byte: a row per byte.
Inputs all_codes(const QuantizationParams& params) {
  const int codes = params.bit_count() == 8 ? 256 : 16, groups = (codes + 31) / params.group();
  const int width = groups * params.group(), per_word = 32 / params.bit_count();
  std::vector<double> words, bytes;
  for (int byte = 0; byte < 256; ++byte) {
    for (int group = 0; group < groups; ++group) bytes.push_back(byte);
    for (int k = 0; k < width; k += per_word) {
      double word = 0;
      for (int i = per_word - 1; i >= 0; --i) word = word * codes + (k + i) % codes;
      words.push_back(word);
    }
  }
  return {array_of(words, DType::u32, {256, width / per_word}),
          array_of(bytes, DType::u8, {256, width / params.group()})};
}

/// Every format in one stored dtype, to the default dtype and another one.
void add_every_format() {
  std::size_t turn = 0;
  for (const QuantizationParams& params : every_format()) {
    const DType stored = float_types.at(turn++ % float_types.size());
    for (const std::optional<DType> dtype :
         {std::optional<DType>{}, std::optional(float_types.at(turn % float_types.size()))}) {
      const std::string to(dtype ? to_string(*dtype) : "default");
      const DequantizeOptions options{params, dtype};
      add_case({join("dequantize/every/", name_of(params), '/', stored, "_to_", to),
                OpCall{"dequantize", options},
                [=](std::uint64_t seed) {
                  Random random(seed);
                  Inputs inputs;
                  append_weight(inputs, {Data::normal, stored, params, 19, 256, {3}}, random);
                  return inputs;
                },
                {}});
      add_case({join("gather_dequantize/every/", name_of(params), '/', stored, "_to_", to),
                OpCall{"gather_dequantize", options},
                [=](std::uint64_t seed) {
                  Random random(seed);
                  Inputs inputs{random_integers(DType::i32, {2, 3}, random, -19, 18)};
                  append_weight(inputs, {Data::normal, stored, params, 19, 256}, random);
                  return inputs;
                },
                {}});
    }
  }
}

/// Scales and biases of different types: every pair of them to every type.
void add_mixed_types() {
  for (const DType scales : float_types) {
    for (const DType biases : float_types) {
      if (scales == biases) continue;
      for (const std::optional<DType> dtype :
           {std::optional<DType>{}, std::optional(DType::f32), std::optional(DType::f16),
            std::optional(DType::bf16)}) {
        const QuantizationParams params{QuantizationMode::affine, 32, dtype == DType::f16 ? 8 : 5};
        const auto inputs = [=](std::uint64_t seed, Inputs before) {
          Random random(seed);
          before.push_back(random_words({9, 128 * params.bit_count() / 32}, random));
          before.push_back(random_array(Data::normal, scales, {9, 4}, random, 0.1));
          before.push_back(random_array(Data::normal, biases, {9, 4}, random));
          return before;
        };
        const std::string name = join("/mixed/", name_of(params), '/', scales, '_', biases, "_to_",
                                      dtype ? to_string(*dtype) : "default");
        add_case({"dequantize" + name,
                  OpCall{"dequantize", DequantizeOptions{params, dtype}},
                  [=](std::uint64_t seed) { return inputs(seed, {}); },
                  {}});
        add_case({"gather_dequantize" + name,
                  OpCall{"gather_dequantize", DequantizeOptions{params, dtype}},
                  [=](std::uint64_t seed) {
                    return inputs(seed, {array_of({-1, 3, 0, 8}, DType::i32, {4})});
                  },
                  {}});
      }
    }
  }
}

void add_global_scales() {
  for (const DType dtype : float_types) {
    for (const bool one_each : {false, true})
      add_case({join("dequantize/nvfp4/global_scale", one_each ? "s_to_" : "_to_", dtype),
                OpCall{"dequantize", DequantizeOptions{nvfp4, dtype}},
                [=](std::uint64_t seed) {
                  Random random(seed);
                  Inputs inputs;
                  const WeightSpec spec{Data::normal, DType::f32, nvfp4, 7, 80, {3}};
                  append_weight(inputs, spec, random);
                  append_global_scale(inputs, spec, one_each, random);
                  return inputs;
                },
                {}});
    add_case({join("gather_dequantize/nvfp4/global_scale_to_", dtype),
              OpCall{"gather_dequantize", DequantizeOptions{nvfp4, dtype}},
              [=](std::uint64_t seed) {
                Random random(seed);
                Inputs inputs{random_integers(DType::i32, {5}, random, -9, 8)};
                const WeightSpec spec{Data::normal, DType::f32, nvfp4, 9, 80};
                append_weight(inputs, spec, random);
                append_global_scale(inputs, spec, false, random);
                return inputs;
              },
              {}});
  }
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
  for (const QuantizationParams& params : {mxfp4, mxfp8, nvfp4})
    for (const DType dtype : float_types)
      add_case({join("dequantize/", params.mode, "/all_codes_and_scales_to_", dtype),
                OpCall{"dequantize", DequantizeOptions{params, dtype}},
                [=](std::uint64_t) { return all_codes(params); },
                {.subnormal = true}});
  add_every_format();
  add_mixed_types();
  add_global_scales();
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
  for (const DType index : {DType::u8, DType::u32})
    add_case({join("gather_dequantize/rows/", index),
              OpCall{"gather_dequantize", DequantizeOptions{affine4_32, {}}},
              [=](std::uint64_t seed) {
                Random random(seed);
                Inputs inputs{random_integers(index, {7}, random, 0, 149)};
                append_weight(inputs, {Data::normal, DType::f16, affine4_32, 150, 192}, random);
                return inputs;
              },
              {}});
}};

}  // namespace
}  // namespace clmx
