#include "requantized.hpp"

#include <algorithm>
#include <charconv>

#include "clmx/devices/error.hpp"
#include "clmx/nn/quantizable.hpp"

namespace clmx {
namespace {

constexpr const char* op = "--modes";
constexpr std::string_view affine = "affine";

/// A number that fills the text.
std::optional<int> number_in(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

/// "4" or "4g32".
std::optional<QuantizationParams> parse_affine(std::string_view rest) {
  const std::size_t at = rest.find('g');
  const std::optional<int> bits = number_in(rest.substr(0, at));
  if (!bits) return {};
  if (at == std::string_view::npos) return QuantizationParams{.bits = bits};
  const std::optional<int> group = number_in(rest.substr(at + 1));
  if (!group) return {};
  return QuantizationParams{.group_size = group, .bits = bits};
}

NamedMode parse_mode(std::string_view text) {
  std::optional<QuantizationParams> params;
  if (text.starts_with(affine)) {
    params = parse_affine(text.substr(affine.size()));
  } else if (text == "mxfp4" || text == "mxfp8" || text == "nvfp4") {
    params = QuantizationParams{mode_from_string(text, op)};
  }
  require(params.has_value(), op, "'", text,
          "' is no mode: wanted are affine with its bits and perhaps a group size (affine4, "
          "affine4g32), mxfp4, mxfp8, nvfp4");
  check_supported(*params, op);
  return {std::string(text), *params};
}

std::int64_t width_of(Module& layer) {
  for (const NamedArray& parameter : layer.parameters()) {
    if (parameter.name == "weight") return parameter.value.shape(-1);
  }
  return 0;
}

struct Found {
  std::string path;
  Module* layer;
};

std::vector<Found> quantizable_layers(Module& root) {
  std::vector<Found> found;
  root.walk([&](const std::string& path, Module& layer) {
    const bool either = dynamic_cast<const Quantizable*>(&layer) != nullptr ||
                        dynamic_cast<const Quantized*>(&layer) != nullptr;
    if (either) found.push_back({path, &layer});
  });
  return found;
}

/// Null when the groups do not divide the layer's width.
std::unique_ptr<Module> converted(Module& layer, const QuantizationParams& params,
                                  const StreamOrDevice& s) {
  const auto* const quantized = dynamic_cast<const Quantized*>(&layer);
  const std::unique_ptr<Module> made = quantized == nullptr ? nullptr : quantized->to_dense({}, s);
  Module& dense = made ? *made : layer;
  const auto* const quantizable = dynamic_cast<const Quantizable*>(&dense);
  if (quantizable == nullptr || width_of(dense) % params.group() != 0) return nullptr;
  return quantizable->to_quantized(params, s);
}

}  // namespace

std::vector<NamedMode> parse_modes(std::string_view text) {
  std::vector<NamedMode> modes;
  while (true) {
    const std::size_t comma = text.find(',');
    NamedMode mode = parse_mode(text.substr(0, comma));
    const bool twice = std::ranges::find(modes, mode.name, &NamedMode::name) != modes.end();
    require(!twice, op, mode.name, " comes twice");
    modes.push_back(std::move(mode));
    if (comma == std::string_view::npos) return modes;
    text.remove_prefix(comma + 1);
  }
}

RequantizedModel requantized(LanguageModel& source, const QuantizationParams& params,
                             StreamOrDevice s) {
  std::unique_ptr<Module> copy = source.clone();
  RequantizedModel result;
  for (const auto& [path, layer] : quantizable_layers(*copy)) {
    std::unique_ptr<Module> made = converted(*layer, params, s);
    if (made == nullptr) {
      result.kept.push_back(path);
      continue;
    }
    copy->replace(path, std::move(made));
    ++result.layers;
  }
  require(result.layers > 0, op, "no layer of the model has a width that groups of ",
          params.group(), " divide");
  auto* const model = dynamic_cast<LanguageModel*>(copy.get());
  require(model != nullptr, op, "the model's copy is ", copy->describe(), ", no language model");
  static_cast<void>(copy.release());
  result.model.reset(model);
  return result;
}

std::uint64_t parameter_bytes(LanguageModel& model) {
  std::uint64_t bytes = 0;
  for (const NamedArray& parameter : model.parameters()) bytes += parameter.value.bytes();
  return bytes;
}

}  // namespace clmx
