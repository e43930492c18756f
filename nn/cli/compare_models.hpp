#pragma once

#include <optional>
#include <string>

#include "common_options.hpp"

namespace clmx::cli {

struct CompareModelOptions {
  std::optional<std::string> text;  ///< instead of the fixed prompts
  double max_kl = 0;                ///< gate; 0: none
  std::string dtype = "f32";
};

/// The model on each device beside its float64 run: a table or a document, and the exit status.
int compare_models(const CommonOptions& common, const CompareModelOptions& options);

}  // namespace clmx::cli
