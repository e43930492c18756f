#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "clmx/host/ops_transformer.hpp"
#include "clmx/nn/auto_placement.hpp"
#include "clmx/nn/module.hpp"

namespace clmx {

/// Keys and values of every layer of a model, for one sequence or for a batch of equally long ones.
/// Belongs to one stream at a time.
class ModelCache {
 public:
  explicit ModelCache(std::vector<KVCache> layers) : layers_(std::move(layers)) {}
  KVCache& layer(std::size_t i) { return layers_[i]; }
  const KVCache& layer(std::size_t i) const { return layers_[i]; }
  std::size_t layers() const { return layers_.size(); }
  /// Sequences held, which the first forward fixes (also one that fails); 0 before.
  std::int64_t batch() const { return layers_.empty() ? 0 : layers_.front().batch(); }
  /// Positions held, the same for every layer.
  std::int64_t length() const { return layers_.empty() ? 0 : layers_.front().length(); }
  std::int64_t limit() const { return layers_.empty() ? 0 : layers_.front().limit(); }
  /// Forgets positions from `length` on. Throws ArgumentError when it exceeds length().
  void truncate(std::int64_t length);

 private:
  std::vector<KVCache> layers_;
};

/// Which positions get logits: the head is the largest product of a small model.
enum class LogitRows { none, last, all };

/// A decoder: token ids in, logits out. Its weights are shared by all devices it runs on; one
/// forward at a time.
class LanguageModel : public Module {
 public:
  virtual std::int64_t vocabulary() const = 0;
  virtual std::int64_t context() const = 0;  ///< positions
  virtual const std::vector<std::int32_t>& eos() const = 0;
  virtual DType dtype() const = 0;  ///< of activations and logits
  /// For at most `positions` positions (absent: the context) of any batch. Allocates nothing yet.
  virtual ModelCache new_cache(std::optional<std::int64_t> positions = {}) const = 0;

  /// Runs every part on the device that the placement names, and what it does not name on the
  /// stream of forward, from the next forward on; the bits stay the same. A layer's cache lives
  /// with its attention. Throws ArgumentError for a pattern that names no part of parts().
  void place(Placement placement);
  const Placement& placement() const { return *placement_; }
  /// The paths of what can be placed, in the order of computation. A path above names all below.
  virtual std::vector<std::string> parts() const = 0;
  /// What place_by_speed places, for one sequence of up to `positions` positions: the embedding,
  /// each layer with its cache, the head.
  virtual std::vector<PlacementUnit> placement_units(std::int64_t positions) = 0;

  /// tokens: [T] i32, or [B, T] for a batch, the positions after those in the cache. Result: [1 or
  /// T, vocabulary], or [B, 1 or T, vocabulary], in dtype(); rows none: an empty array. Row b has
  /// the bits that it has alone. Throws ArgumentError when the cache holds another batch ([T] is a
  /// batch of one) or its limit would be passed; ids out of range are refused when the host holds
  /// them.
  virtual Array forward(const Array& tokens, ModelCache& cache, LogitRows rows = LogitRows::last,
                        StreamOrDevice s = {}) = 0;
  /// The same from host ids, [T]: throws ArgumentError for no tokens or ids out of range.
  Array forward(std::span<const std::int32_t> tokens, ModelCache& cache,
                LogitRows rows = LogitRows::last, StreamOrDevice s = {});

 protected:
  /// The entry that counts for parts()[part], or null.
  const Placement::Entry* placed(std::size_t part) const {
    return placed_.empty() ? nullptr : placed_[part];
  }

 private:
  std::shared_ptr<const Placement> placement_ = std::make_shared<Placement>();
  std::vector<const Placement::Entry*> placed_;  // by part; empty without a placement
};

}  // namespace clmx
