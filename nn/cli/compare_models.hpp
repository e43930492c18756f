#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compare_baseline.hpp"
#include "compare_model.hpp"
#include "compare_options.hpp"
#include "compare_records.hpp"

namespace clmx::cli {

struct ModelOnDevice {
  Device device;
  ComparedModel result;
  std::optional<LogitsComparison> other = {};  ///< against the logits of a file
  std::string differs_from = {};               ///< the first device, when the bits are not its own
  ModelStep first_other_bits = {};
};

/// The model in another quantization mode against float64 with the source's weights.
struct ComparedMode {
  std::string name;
  std::uint64_t bytes = 0;  ///< of all parameters
  std::size_t layers = 0;
  std::vector<std::string> kept;         ///< layers that stay as they are
  std::vector<LogitsComparison> logits;  ///< of each device
};

/// All that `clmx compare` finds out about a model.
struct ModelComparison {
  std::string model, of;  ///< its path; what was run, by digests
  std::string command;    ///< that repeats it, to be followed by -d
  std::uint64_t bytes = 0;
  std::vector<ModelOnDevice> devices;
  std::optional<LogitsComparison> other;  ///< logits of a file against float64
  std::vector<ComparedMode> modes;
  std::vector<Agreement> agreements;        ///< with the devices of a record
  std::optional<std::vector<Worse>> worse;  ///< than a baseline

  std::string repeat(const ModelOnDevice& one) const;
  /// The same with the tensors of a part.
  std::string repeat(const ModelOnDevice& one, const std::string& part) const;
};

}  // namespace clmx::cli
