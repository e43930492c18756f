#include "clmx/nn/language_model.hpp"

#include <algorithm>

#include "clmx/devices/error.hpp"

namespace clmx {

void ModelCache::truncate(std::int64_t length) {
  require(length >= 0 && length <= this->length(), "truncate", "cannot shorten ", this->length(),
          " positions to ", length);
  // After a failed forward the later layers may be shorter than the first.
  for (KVCache& layer : layers_) layer.truncate(std::min(length, layer.length()));
}

void LanguageModel::place(Placement placement) {
  const std::vector<std::string> all = parts();
  for (const Placement::Entry& entry : placement.entries()) {
    const auto named = [&](const std::string& part) { return names_module(entry.pattern, part); };
    require(std::ranges::any_of(all, named), "place", "no part of the model is named by '",
            entry.pattern, "'; the parts are ", all.front(),
            ", model.layers.N.self_attn and .mlp, ", "model.norm and lm_head");
  }
  placement_ = std::make_shared<const Placement>(std::move(placement));
  placed_.clear();
  if (placement_->empty()) return;
  for (const std::string& part : all) placed_.push_back(placement_->find(part));
}

Array LanguageModel::forward(std::span<const std::int32_t> tokens, ModelCache& cache,
                             LogitRows rows, StreamOrDevice s) {
  require(!tokens.empty(), "forward", "no tokens");
  for (const std::int32_t token : tokens) {
    require(token >= 0 && token < vocabulary(), "forward", "token id ", token,
            " is not in the vocabulary of ", vocabulary());
  }
  return forward(Array::from(tokens, Shape{static_cast<std::int64_t>(tokens.size())}), cache, rows,
                 s);
}

}  // namespace clmx
