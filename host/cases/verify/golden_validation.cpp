#include "golden_validation.hpp"

#include <charconv>
#include <cmath>
#include <sstream>

#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "golden_ops.hpp"

namespace clmx {
namespace {

std::vector<double> numbers(std::string_view text) {
  std::vector<double> values;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at != end) {
    double value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error == std::errc() && next != at) {
      values.push_back(value);
      at = next;
    } else {
      ++at;
    }
  }
  return values;
}

[[noreturn]] void refuse_text(const std::string& text) {
  throw FormatError("manifest.json", 0, "'" + text + "' describes no input");
}

Shape described_shape(const std::vector<double>& sizes, const std::string& text) {
  constexpr double most = 0x1p24;
  double elements = 1;
  std::vector<std::int64_t> shape;
  for (const double size : sizes) {
    elements *= std::max(size, 1.0);
    // Also of what is not a number.
    if (!(size >= 0 && elements <= most) || size != std::trunc(size)) refuse_text(text);
    shape.push_back(static_cast<std::int64_t>(size));
  }
  if (shape.size() > Shape::max_rank) refuse_text(text);
  return Shape{std::span<const std::int64_t>(shape)};
}

DType described_dtype(const std::string& name, const std::string& text) {
  try {
    return dtype_named(name);
  } catch (const ArgumentError&) {
    refuse_text(text);
  }
}

/// "f32[4,64]": ones of that shape; "u32=[0,1]" or "f32=1.0": these values. Nothing when clmx has
/// no such dtype. Throws FormatError for any other text.
std::optional<Array> described(const std::string& text) {
  const std::size_t mark = text.find_first_of("[=");
  if (mark == std::string::npos) refuse_text(text);
  const std::string type = text.substr(0, mark);
  if (type == "f64" || type == "c64") return {};
  const DType dtype = described_dtype(type, text);
  const std::vector<double> values = numbers(std::string_view(text).substr(mark));
  if (text[mark] == '=') {
    const bool list = text.find('[') != std::string::npos;
    const auto n = static_cast<std::int64_t>(values.size());
    if (!list && n != 1) refuse_text(text);
    return array_of(values, dtype, list ? Shape{n} : Shape{});
  }
  const Shape shape = described_shape(values, text);
  const std::vector<double> ones(static_cast<std::size_t>(shape.elements()), 1.0);
  return array_of(ones, dtype, shape);
}

using Described = std::map<std::string, Array>;

std::optional<Array> optional_of(const Described& in, const std::string& key) {
  const auto found = in.find(key);
  if (found == in.end()) return {};
  return found->second;
}

const Array& needed(const GoldenEntry& entry, const Described& in, const std::string& key) {
  const auto found = in.find(key);
  if (found == in.end())
    throw FormatError("manifest.json", 0, "entry '" + entry.name + "' has no input " + key);
  return found->second;
}

std::vector<Array> quantize_entry(const GoldenEntry& entry, const Described& in, const Stream& s) {
  const std::string mode = entry.args.text("mode", "affine");
  const QuantizedArrays made =
      quantize(needed(entry, in, "w"), entry.args.integer("group_size"), entry.args.integer("bits"),
               mode, optional_of(in, "global_scale"), s);
  std::vector<Array> outputs{made.packed, made.scales};
  if (made.biases) outputs.push_back(*made.biases);
  return outputs;
}

std::vector<Array> dequantize_entry(const GoldenEntry& entry, const Described& in,
                                    const Stream& s) {
  std::optional<DType> dtype;
  if (entry.args.has("dtype")) dtype = dtype_named(entry.args.text("dtype", ""));
  const std::string mode = entry.args.text("mode", "affine");
  return {dequantize(needed(entry, in, "w"), needed(entry, in, "scales"), optional_of(in, "biases"),
                     entry.args.integer("group_size"), entry.args.integer("bits"), mode,
                     optional_of(in, "global_scale"), dtype, s)};
}

std::vector<Array> to_fp8_entry(const GoldenEntry& entry, const Described& in, const Stream& s) {
  return {to_fp8(needed(entry, in, "x"), s)};
}

std::vector<Array> from_fp8_entry(const GoldenEntry& entry, const Described& in, const Stream& s) {
  return {from_fp8(needed(entry, in, "x"), dtype_named(entry.args.text("dtype", "bf16")), s)};
}

std::vector<Array> product_entry(const GoldenEntry& entry, const Described& in, const Stream& s) {
  const QuantizationParams params = quantization_of(entry.args);
  return {quantized_matmul(needed(entry, in, "x"), needed(entry, in, "w"),
                           needed(entry, in, "scales"), optional_of(in, "biases"),
                           entry.args.flag("transpose", true), params.group_size, params.bits,
                           params.mode, optional_of(in, "global_scale"), s)};
}

std::vector<Array> gather_entry(const GoldenEntry& entry, const Described& in, const Stream& s) {
  const QuantizationParams params = quantization_of(entry.args);
  return {gather_qmm(needed(entry, in, "x"), needed(entry, in, "w"), needed(entry, in, "scales"),
                     optional_of(in, "biases"), optional_of(in, "lhs_indices"),
                     optional_of(in, "rhs_indices"), entry.args.flag("transpose", true),
                     params.group_size, params.bits, params.mode,
                     entry.args.flag("sorted_indices", false), optional_of(in, "global_scale"), s)};
}

std::vector<Array> qqmm_entry(const GoldenEntry& entry, const Described& in, const Stream& s) {
  const QuantizationParams params = qqmm_params(entry.args);
  return {qqmm(needed(entry, in, "x"), needed(entry, in, "w"), optional_of(in, "scales"),
               params.group_size, params.bits, params.mode, optional_of(in, "global_scale_x"),
               optional_of(in, "global_scale_w"), s)};
}

std::vector<Array> attention_entry(const GoldenEntry& entry, const Described& in, const Stream& s) {
  const std::string mask = entry.args.text("mask", "none");
  require(mask == "none" || mask == "causal", entry.op, "there is no mask '", mask, "'");
  const AttentionOptions options{.scale = static_cast<float>(entry.args.number("scale", 1)),
                                 .causal = mask == "causal",
                                 .mask = optional_of(in, "mask"),
                                 .sinks = optional_of(in, "sinks")};
  return {scaled_dot_product_attention(needed(entry, in, "q"), needed(entry, in, "k"),
                                       needed(entry, in, "v"), options, s)};
}

std::vector<Array> rope_entry(const GoldenEntry& entry, const Described& in, const Stream& s) {
  const RopeOptions options = rope_options(entry.args, optional_of(in, "freqs"));
  return {rope(needed(entry, in, "x"), options, s)};
}

std::vector<Array> rms_norm_entry(const GoldenEntry& entry, const Described& in, const Stream& s) {
  const auto eps = static_cast<float>(entry.args.number("eps", 1e-5));
  return {rms_norm(needed(entry, in, "x"), optional_of(in, "weight"), eps, s)};
}

std::vector<Array> layer_norm_entry(const GoldenEntry& entry, const Described& in,
                                    const Stream& s) {
  const auto eps = static_cast<float>(entry.args.number("eps", 1e-5));
  return {layer_norm(needed(entry, in, "x"), optional_of(in, "weight"), optional_of(in, "bias"),
                     eps, s)};
}

using Runner = std::vector<Array> (*)(const GoldenEntry&, const Described&, const Stream&);

Runner runner_of(const std::string& op) {
  static const std::map<std::string, Runner> runners{
      {"quantize", quantize_entry},
      {"dequantize", dequantize_entry},
      {"to_fp8", to_fp8_entry},
      {"from_fp8", from_fp8_entry},
      {"quantized_matmul", product_entry},
      {"gather_qmm", gather_entry},
      {"qqmm", qqmm_entry},
      {"scaled_dot_product_attention", attention_entry},
      {"rope", rope_entry},
      {"rms_norm", rms_norm_entry},
      {"layer_norm", layer_norm_entry}};
  const auto found = runners.find(op);
  return found == runners.end() ? nullptr : found->second;
}

std::string result_text(const Array& array) {
  std::ostringstream text;
  text << array.dtype() << '[';
  for (int axis = 0; axis < array.rank(); ++axis) text << (axis ? "," : "") << array.shape(axis);
  text << ']';
  return text.str();
}

void compare(CaseResult& result, const GoldenEntry& entry, const std::vector<Array>& outputs) {
  std::vector<std::string> made;
  for (const Array& output : outputs) {
    output.wait();
    made.push_back(result_text(output));
  }
  result.outcome = Outcome::accepted;
  if (entry.result.empty() || made == entry.result) return;
  result.outcome = Outcome::failed;
  result.what = "gave";
  for (const std::string& text : made) result.what += " " + text;
}

}  // namespace

CaseResult validate(const GoldenEntry& entry, const Stream& stream) {
  CaseResult result{.name = entry.name};
  const Runner runner = runner_of(entry.op);
  if (!runner) return result;
  try {
    Described inputs;
    for (const auto& [key, text] : entry.inputs) {
      const std::optional<Array> array = described(text);
      if (!array) {
        result.outcome = entry.refuse ? Outcome::refused : Outcome::not_covered;
        return result;
      }
      inputs.emplace(key, *array);
    }
    const std::vector<Array> outputs = runner(entry, inputs, stream);
    if (entry.refuse) {
      result.outcome = Outcome::failed;
      result.what = "was accepted";
    } else {
      compare(result, entry, outputs);
    }
  } catch (const ArgumentError& error) {
    result.outcome = entry.refuse ? Outcome::refused : Outcome::failed;
    if (result.outcome == Outcome::failed) result.what = error.what();
  } catch (const FormatError&) {
    throw;
  } catch (const Error& error) {
    result.outcome = Outcome::failed;
    result.what = error.what();
  }
  return result;
}

}  // namespace clmx
