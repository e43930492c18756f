#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common_options.hpp"
#include "compare_ops.hpp"

namespace clmx::cli {

/// What `clmx compare` was told.
struct CompareOptions {
  bool by_op = false;
  CompareOpsOptions ops;

  std::optional<std::string> text;  ///< of a model: instead of the fixed prompts
  std::string prompts;              ///< a file of them
  std::string dtype = "f32", modes, dump;

  std::string junit, html, record, against, baseline;  ///< files
  std::vector<std::string> records;

  double max_kl = 0;  ///< 0: no gate
  double max_budget = 1;
  std::size_t min_devices = 1;
  bool same_bits = false;
};

/// Every op on each device, and a model on each: reports and the exit status.
int compare_devices(const CommonOptions& common, const CompareOptions& options);
int compare_models(const CommonOptions& common, const CompareOptions& options);

}  // namespace clmx::cli
