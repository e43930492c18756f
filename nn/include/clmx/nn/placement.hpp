#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/host/ops_split.hpp"

namespace clmx {

/// Whether a pattern names the module at `path` or one that it is part of. Patterns are paths in
/// MLX's spelling; in them `*` stands for any text without a dot: "model.layers.*.mlp".
bool names_module(std::string_view pattern, std::string_view path);

/// Where the parts of a model run: patterns of module paths and a stream or device for each, or
/// several that share out the rows of the products there. Where several patterns name a part, the
/// last one counts.
class Placement {
 public:
  struct Entry {
    std::string pattern;
    std::vector<RowShare> where;  ///< more than one: the first does all that is no product
  };
  /// Throws ArgumentError for an empty pattern or when `where` cannot share anything out.
  void add(std::string pattern, std::vector<RowShare> where);
  void add(std::string pattern, const StreamOrDevice& where);
  /// The entry that counts for the module at `path`; null when none names it.
  const Entry* find(std::string_view path) const;
  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }

 private:
  std::vector<Entry> entries_;
};

/// One entry of `--place` before devices are looked up.
struct PlacementText {
  std::string target;                 ///< as written, for messages
  std::vector<std::string> patterns;  ///< module paths that it stands for
  std::vector<std::string> selectors;
};

/// The syntax of `--place` for a model of `layers` layers:
///
///   placement := entry {',' entry}      entry := target '=' device {'+' device}
///   target := layer | first '-' last | 'embed' | 'head' | pattern
///
/// Layers count from 0; `head` is the last norm and the output product; a pattern has a dot or a
/// star in it. `device` is a selector. Throws ArgumentError, saying what was wanted, for anything
/// else and for layers that the model does not have.
std::vector<PlacementText> parse_placement(std::string_view text, std::int64_t layers);

/// Looks the devices up; rows are shared out equally. Throws DeviceNotFound.
Placement select_devices(const std::vector<PlacementText>& entries);

}  // namespace clmx
