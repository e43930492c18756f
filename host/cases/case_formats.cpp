#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "quantized_inputs.hpp"
#include "reference.hpp"

namespace clmx {
namespace {

Array ones(DType dtype, const Shape& shape) {
  return array_of(std::vector<double>(static_cast<std::size_t>(shape.elements()), 1.0), dtype,
                  shape);
}

std::string name_of(const QuantizationParams& p) {
  return join(p.mode, p.bit_count(), "_g", p.group());
}

// ---- quantize: w, in nvfp4 maybe a global scale -> packed, scales, biases

std::function<Inputs()> ones_of(DType dtype, const Shape& shape) {
  return [=] { return Inputs{ones(dtype, shape)}; };
}

Rejected refused(std::string why, const QuantizationParams& params, DType dtype,
                 const Shape& shape) {
  return {std::move(why), QuantizeOptions{params}, ones_of(dtype, shape)};
}

const RegisterOp<QuantizeOptions> quantize_op{
    .name = "quantize",
    .run = [](const Inputs& in, const QuantizeOptions& o, const Stream& s) -> Outputs {
      std::optional<Array> global_scale;
      if (in.size() > 1) global_scale = in[1];
      const QuantizedArrays made = quantize_arrays(in[0], o, global_scale, s);
      if (made.biases) return {made.packed, made.scales, *made.biases};
      return {made.packed, made.scales};
    },
    .reference =
        [](const Doubles& in, const QuantizeOptions& o) {
          return reference::quantize(in[0], o, in.size() > 1 ? &in[1] : nullptr);
        },
    .cost = [](const Inputs& in, const auto&) -> Cost {
      return {static_cast<double>(in[0].bytes()) * 1.2, static_cast<double>(in[0].size()) * 6};
    },
    .rejected = {refused("integer weights", {}, DType::i32, {4, 64}),
                 refused("one axis", {}, DType::f32, {64}),
                 refused("a width that the group does not divide", {}, DType::f32, {4, 96}),
                 refused("a group size that is not MLX's", {QuantizationMode::affine, 48, 4},
                         DType::f32, {4, 96}),
                 refused("7 bits", {QuantizationMode::affine, 64, 7}, DType::f32, {4, 64}),
                 refused("0 bits", {QuantizationMode::affine, 64, 0}, DType::f32, {4, 64}),
                 refused("rows that end within a word", {QuantizationMode::affine, 16, 3},
                         DType::f32, {4, 48}),
                 refused("mxfp4 in groups of 64", {QuantizationMode::mxfp4, 64}, DType::f32,
                         {4, 64}),
                 refused("mxfp8 with 4 bits", {QuantizationMode::mxfp8, 32, 4}, DType::f32,
                         {4, 64}),
                 {"a global scale for mxfp4", QuantizeOptions{{QuantizationMode::mxfp4}},
                  [] {
                    return Inputs{ones(DType::f32, {4, 64}), ones(DType::f32, {})};
                  }},
                 {"a global scale in f16", QuantizeOptions{{QuantizationMode::nvfp4}},
                  [] {
                    return Inputs{ones(DType::f32, {4, 64}), ones(DType::f16, {})};
                  }},
                 {"two global scales", QuantizeOptions{{QuantizationMode::nvfp4}}, [] {
                    return Inputs{ones(DType::f32, {4, 64}), ones(DType::f32, {2})};
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

void add_quantize(const std::string& name, const QuantizeOptions& options,
                  std::function<Inputs(std::uint64_t)> inputs, const CaseTraits& traits = {}) {
  add_case({"quantize/" + name, OpCall{"quantize", options}, std::move(inputs), traits});
}

void add_tuned_formats() {
  for (const QuantizationParams& params : all_params) {
    for (const DType dtype : float_types) {
      const std::string prefix = join(name_of(params), '/', dtype, '/');
      for (const Data data : {Data::normal, Data::positive, Data::lognormal, Data::integers,
                              Data::zeros, Data::one_hot, Data::extreme})
        add_quantize(prefix + std::string(to_string(data)), {params},
                     floats(data, {dtype}, {{37, 192}}));
      add_quantize(prefix + "batched", {params}, floats(Data::normal, {dtype}, {{2, 3, 5, 64}}));
      add_quantize(prefix + "no_rows", {params}, floats(Data::normal, {dtype}, {{0, 64}}));
      add_quantize(prefix + "special", {params},
                   [dtype](std::uint64_t) { return special_groups(dtype); });
      add_quantize(prefix + "many", {params}, floats(Data::normal, {dtype}, {{4096, 1024}}),
                   {.full = true});
    }
  }
}

/// Every format in one dtype, in all of them when there is time.
void add_every_format() {
  std::size_t turn = 0;
  for (const QuantizationParams& params : every_format()) {
    const DType chosen = float_types.at(turn++ % float_types.size());
    for (const DType dtype : float_types) {
      const CaseTraits traits{.full = dtype != chosen};
      const std::string prefix = join("every/", name_of(params), '/', dtype, '/');
      add_quantize(prefix + "normal", {params}, floats(Data::normal, {dtype}, {{3, 5, 256}}),
                   traits);
      add_quantize(
          prefix + "special", {params}, [dtype](std::uint64_t) { return special_groups(dtype); },
          traits);
      for (const Data data : {Data::positive, Data::lognormal, Data::one_hot, Data::extreme})
        add_quantize(prefix + std::string(to_string(data)), {params},
                     floats(data, {dtype}, {{37, 384}}), {.full = true});
    }
    // every step of the arithmetic may be subnormal here
    add_quantize(join(name_of(params), "/f32/subnormal"), {params},
                 [](std::uint64_t seed) {
                   Random random(seed);
                   return Inputs{random_array(Data::normal, DType::f32, {9, 128}, random, 1e-38)};
                 },
                 {.subnormal = true});
  }
}

void add_options() {
  for (const DType dtype : float_types) {
    for (const double scale : {1.0, 1e-3, 3000.0})
      add_quantize(join("nvfp44_g16/", dtype, "/global_scale", scale), {nvfp4},
                   [=](std::uint64_t seed) {
                     Random random(seed);
                     const Array w = random_array(Data::normal, dtype, {19, 144}, random, scale);
                     return Inputs{w, array_of({4 * scale}, DType::f32, {1})};
                   });
    for (const QuantizationParams& params : {mxfp4, mxfp8})
      add_quantize(join(name_of(params), '/', dtype, "/nearest_scale"),
                   {params, ScaleRule::nearest}, floats(Data::extreme, {dtype}, {{37, 192}}));
  }
}

const RegisterCases quantize_cases{[] {
  add_tuned_formats();
  add_every_format();
  add_options();
}};

// ---- to_fp8, from_fp8

const RegisterOp<NoOptions> to_fp8_op{
    .name = "to_fp8",
    .run = [](const Inputs& in, const NoOptions&, const Stream& s) -> Outputs {
      return {to_fp8(in[0], s)};
    },
    .reference = [](const Doubles& in, const NoOptions&) -> std::vector<Expected> {
      return {reference::to_fp8(in[0])};
    },
    .cost = [](const Inputs& in, const NoOptions&) -> Cost {
      return {static_cast<double>(in[0].bytes() + static_cast<std::size_t>(in[0].size())),
              static_cast<double>(in[0].size())};
    },
    .rejected = {{"integers", NoOptions{}, ones_of(DType::i32, {4})}}};

const RegisterOp<CastOptions> from_fp8_op{
    .name = "from_fp8",
    .run = [](const Inputs& in, const CastOptions& o, const Stream& s) -> Outputs {
      return {from_fp8(in[0], o.dtype, s)};
    },
    .reference = [](const Doubles& in, const CastOptions& o) -> std::vector<Expected> {
      return {reference::from_fp8(in[0], o.dtype)};
    },
    .cost = [](const Inputs& in, const CastOptions& o) -> Cost {
      const auto size = static_cast<std::size_t>(in[0].size());
      return {static_cast<double>(size * (1 + size_of(o.dtype))), static_cast<double>(size)};
    },
    .rejected = {{"words", CastOptions{DType::f32}, ones_of(DType::u32, {4})},
                 {"an integer result", CastOptions{DType::u32}, ones_of(DType::u8, {4})}}};

const RegisterCases fp8_cases{[] {
  for (const DType dtype : float_types) {
    add_case({join("to_fp8/", dtype, "/normal"),
              OpCall{"to_fp8", NoOptions{}},
              floats(Data::normal, {dtype}, {{3, 5, 33}}),
              {}});
    add_case({join("to_fp8/", dtype, "/lognormal"),
              OpCall{"to_fp8", NoOptions{}},
              floats(Data::lognormal, {dtype}, {{9001}}),
              {}});
    add_case({join("from_fp8/", dtype, "/all_codes"),
              OpCall{"from_fp8", CastOptions{dtype}},
              [](std::uint64_t) {
                std::vector<double> codes;
                for (int code = 0; code < 256; ++code) codes.push_back(code);
                return Inputs{array_of(codes, DType::u8, {4, 64})};
              },
              {}});
  }
}};

}  // namespace
}  // namespace clmx
