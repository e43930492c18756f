#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "clmx/nn/language_model.hpp"
#include "common_options.hpp"
#include "json_output.hpp"

namespace clmx::cli {

/// --place and --explain.
struct PlaceOptions {
  std::string place;
  bool explain = false;
};
void add_place_options(CLI::App& parser, PlaceOptions& options);

/// What --place asks for, before and after the model is there.
class PlaceRequest {
 public:
  /// Reads the text for a model of `layers` layers and looks its devices up. Throws ArgumentError,
  /// DeviceNotFound, UsageError.
  PlaceRequest(const PlaceOptions& options, const CommonOptions& common, std::int64_t layers);
  bool given() const { return !text_.empty(); }
  /// What the placement does not name runs here.
  const Device& device() const { return devices_.front(); }
  /// Tells the model, whose sequences have up to `positions` positions; `auto` measures the devices
  /// (or takes what is stored) and says on stderr what it chose unless `quiet`.
  void apply(LanguageModel& model, std::int64_t positions, bool quiet) const;

 private:
  std::string text_;
  Placement placement_;
  std::vector<Device> devices_;  ///< the default one; for `auto` all that may be used
};

/// Parts that follow each other and run on the same devices.
struct PlacedParts {
  std::string first, last;
  std::vector<Device> devices;
};
/// Where each part runs, in the order of computation; what is not named: on `otherwise`.
std::vector<PlacedParts> placed_parts(const LanguageModel& model, const Device& otherwise);
/// Every device of them, once.
std::vector<Device> devices_of(const std::vector<PlacedParts>& parts);
/// "model.embed_tokens to model.layers.14.mlp: pocl:0".
std::string line_of(const PlacedParts& parts);
Json described(const std::vector<PlacedParts>& parts);

}  // namespace clmx::cli
