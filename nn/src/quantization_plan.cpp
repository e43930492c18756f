#include "clmx/nn/quantization_plan.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "strict_json.hpp"

namespace clmx {
namespace {

using Json = nlohmann::ordered_json;

std::optional<int> number_of(const Json& object, const char* field) {
  if (!object.contains(field)) return {};
  const Json& value = object.at(field);
  require(value.is_number_integer() && value >= 1 && value <= 4096, "quantization plan", field,
          " is not a number in range");
  return value.get<int>();
}

std::optional<QuantizationParams> params_of(const Json& value) {
  if (value == "keep") return {};
  constexpr const char* op = "quantization plan";
  require(value.is_object(), op, "it is neither \"keep\" nor an object");
  for (const auto& [field, unused] : value.items()) {
    require(field == "bits" || field == "group_size" || field == "mode", op, "unknown field ",
            field);
  }
  QuantizationParams params;
  if (value.contains("mode")) {
    require(value.at("mode").is_string(), op, "mode is not a string");
    params.mode = mode_from_string(value.at("mode").get<std::string>(), op);
  }
  params.group_size = number_of(value, "group_size");
  params.bits = number_of(value, "bits");
  check_storable(params, op);
  return params;
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, resume = 0;  // the last `*`, and where its run ends
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

const QuantizationPlan::Rule* QuantizationPlan::find(std::string_view path) const {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule& rule) {
    return matches_pattern(rule.pattern, path);
  });
  return found == rules.end() ? nullptr : &*found;
}

QuantizationPlan parse_quantization_plan(std::string_view text, const std::string& file) {
  parse_json(text, file);  // refuses what is no JSON, too deep, or says a pattern twice
  const Json json = Json::parse(text.begin(), text.end());
  if (!json.is_object()) throw FormatError(file, 0, "is not a JSON object");
  QuantizationPlan plan;
  for (const auto& [pattern, value] : json.items()) {
    try {
      plan.rules.push_back({pattern, params_of(value)});
    } catch (const ArgumentError& error) {
      throw FormatError(file, 0, join("'", pattern, "': ", error.what()));
    }
  }
  return plan;
}

void check_storable(const QuantizationParams& params, std::string_view op) {
  check_supported(params, op);
  require(params.mode != QuantizationMode::affine || params.group() != 16, op,
          "MLX has no affine groups of 16");
}

}  // namespace clmx
