#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/host/quantization.hpp"

namespace clmx {

/// Whether the whole of text fits a pattern in which `*` stands for any run of characters, dots
/// included, `?` for one, and all else for itself.
bool matches_pattern(std::string_view pattern, std::string_view text);

/// Which layers get parameters of their own. The first rule whose pattern fits a layer's path
/// holds; a layer that no rule fits takes the parameters of the call.
struct QuantizationPlan {
  struct Rule {
    std::string pattern;
    std::optional<QuantizationParams> params;  ///< absent: the layer is kept as it is
  };
  std::vector<Rule> rules;

  /// The first rule that fits; null: none.
  const Rule* find(std::string_view path) const;
};

/// A plan from JSON: {"<pattern>": {"bits": 8, "group_size": 64, "mode": "affine"} | "keep", ...},
/// in the order of the text. A missing mode is affine, missing numbers are the mode's own, as in
/// config.json. file: for messages. Throws FormatError for anything else: a field of another name
/// or type, a pattern given twice, parameters that MLX does not have.
QuantizationPlan parse_quantization_plan(std::string_view text, const std::string& file);

/// Throws ArgumentError unless files for MLX may hold these parameters: those of check_supported
/// without affine groups of 16.
void check_storable(const QuantizationParams& params, std::string_view op);

}  // namespace clmx
