#include "clmx/nn/llama.hpp"

#include <algorithm>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/tap.hpp"
#include "clmx/nn/embedding.hpp"
#include "llama_layers.hpp"
#include "rope_positions.hpp"

namespace clmx {
namespace {

constexpr const char *embed_path = "model.embed_tokens", *norm_path = "model.norm",
                     *head_path = "lm_head";

std::string layer_path(std::size_t i) {
  return join("model.layers.", i);
}

/// x: [batch T, n]. The last of each T rows: [batch, n].
Array last_rows(const Array& x, std::int64_t batch, const Stream& stream) {
  const std::int64_t time = x.shape(0) / batch;
  if (time == 1) return x;
  if (batch == 1) return x.rows(time - 1, time);
  std::vector<std::int32_t> last;
  for (std::int64_t end = time; end <= x.shape(0); end += time)
    last.push_back(static_cast<std::int32_t>(end - 1));
  return gather(x, Array::from(last, Shape{batch}), stream);
}

class LlamaModel final : public LanguageModel {
 public:
  LlamaModel(const LlamaConfig& config, Weights& weights, DType dtype);

  std::int64_t vocabulary() const override { return config_.vocabulary; }
  std::int64_t context() const override { return config_.context; }
  const std::vector<std::int32_t>& eos() const override { return config_.eos; }
  DType dtype() const override { return dtype_; }
  ModelCache new_cache(std::optional<std::int64_t> positions) const override;
  using LanguageModel::forward;
  Array forward(const Array& tokens, ModelCache& cache, LogitRows rows, StreamOrDevice s) override;
  std::vector<std::string> parts() const override;
  std::vector<PlacementUnit> placement_units(std::int64_t positions) override;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<LlamaModel>(*this); }
  std::string describe() const override {
    return join("Llama(layers=", blocks_.size(), ", hidden_size=", config_.hidden_size,
                ", vocabulary=", config_.vocabulary, ")");
  }

 private:
  /// Tells the tap; where parts()[part] runs.
  Route begin_part(std::size_t part, const Stream& otherwise) const;
  void check(const Array& tokens, const ModelCache& cache) const;
  /// tokens: [B, T]. Result: [B T, hidden].
  Array body(const Array& tokens, ModelCache& cache, const Stream& otherwise);
  /// hidden: [batch T, hidden]. Result: [batch or batch T, vocabulary].
  Array head(const Array& hidden, std::int64_t batch, LogitRows rows,
             const Stream& otherwise) const;

  LlamaConfig config_;
  DType dtype_;
  RopePositions rope_;
  Slot<EmbeddingLayer> embed_tokens_;
  std::vector<Slot<LlamaBlock>> blocks_;
  Slot<RMSNorm> norm_;
  Slot<LinearLayer> lm_head_;  // empty: the embedding's weights
};

LlamaModel::LlamaModel(const LlamaConfig& config, Weights& weights, DType dtype)
    : config_(config),
      dtype_(dtype),
      rope_(config.rope, config.context),
      embed_tokens_(weights.embedding("model.embed_tokens", config.vocabulary, config.hidden_size)),
      norm_(weights.norm("model.norm", config.hidden_size, config.rms_norm_eps)) {
  for (std::int64_t i = 0; i < config.layers; ++i) {
    blocks_.emplace_back(std::make_unique<LlamaBlock>(config, weights, join("model.layers.", i)));
  }
  if (config.tied_head) {
    weights.ignore("lm_head");
  } else {
    lm_head_ = weights.linear("lm_head", config.hidden_size, config.vocabulary);
  }
}

ModelCache LlamaModel::new_cache(std::optional<std::int64_t> positions) const {
  const std::int64_t limit = positions.value_or(config_.context);
  require(limit > 0 && limit <= config_.context, "new_cache", limit,
          " positions, the model's context is ", config_.context);
  std::vector<KVCache> layers;
  layers.reserve(blocks_.size());
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    layers.emplace_back(std::nullopt, config_.kv_heads, config_.head_dim, limit);
  }
  return ModelCache(std::move(layers));
}

void LlamaModel::check(const Array& tokens, const ModelCache& cache) const {
  require((tokens.rank() == 1 || tokens.rank() == 2) && tokens.size() > 0, "forward",
          "tokens must have shape [T] or [B, T], not ", tokens.shape());
  require(cache.layers() == blocks_.size(), "forward", "the cache has ", cache.layers(),
          " layers, the model ", blocks_.size());
  const std::int64_t time = tokens.shape(-1), batch = tokens.size() / time;
  require(cache.batch() == 0 || cache.batch() == batch, "forward", "the tokens are a batch of ",
          batch, ", the cache holds a batch of ", cache.batch());
  require(cache.length() + time <= cache.limit(), "forward", cache.length() + time,
          " positions, the cache holds at most ", cache.limit());
}

Array LlamaModel::forward(const Array& tokens, ModelCache& cache, LogitRows rows,
                          StreamOrDevice s) {
  check(tokens, cache);
  const std::int64_t offset = cache.length(), time = tokens.shape(-1);
  const std::int64_t batch = tokens.size() / time;
  const Stream stream = s.resolve();
  try {
    const Array hidden = body(tokens.reshape({batch, time}), cache, stream);
    if (rows == LogitRows::none) return {};
    Array logits = head(hidden, batch, rows, stream);
    if (tokens.rank() == 1) return logits;
    return logits.reshape({batch, logits.shape(0) / batch, vocabulary()});
  } catch (...) {
    cache.truncate(offset);  // all layers hold the same positions again
    throw;
  }
}

Array LlamaModel::body(const Array& tokens, ModelCache& cache, const Stream& otherwise) {
  const std::int64_t offset = cache.length(), batch = tokens.shape(0);
  const RopeTable table = rope_.at_least(offset + tokens.shape(1));
  const auto step = [&](std::size_t part) {
    return LlamaStep{config_, table, batch, offset, dtype_, begin_part(part, otherwise)};
  };
  const Array ids = tokens.reshape({tokens.size()});
  Array hidden = embed_tokens_->lookup(ids, dtype_, begin_part(0, otherwise).stream);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    hidden = blocks_[i]->attend(hidden, cache.layer(i), step(1 + 2 * i));
    hidden = blocks_[i]->transform(hidden, step(2 + 2 * i));
  }
  return hidden;
}

Route LlamaModel::begin_part(std::size_t part, const Stream& otherwise) const {
  if (Tap* tap = current_tap()) tap->part(parts()[part]);
  return route_of(placed(part), otherwise);
}

Array LlamaModel::head(const Array& hidden, std::int64_t batch, LogitRows rows,
                       const Stream& otherwise) const {
  const Stream s = begin_part(1 + 2 * blocks_.size(), otherwise).stream;
  const Array x =
      norm_->normalized(rows == LogitRows::all ? hidden : last_rows(hidden, batch, s), dtype_, s);
  const Route route = begin_part(2 + 2 * blocks_.size(), otherwise);
  if (lm_head_) return product_on(*lm_head_, x, dtype_, route);
  const auto* const tied = dynamic_cast<const QuantizedEmbedding*>(&*embed_tokens_);
  if (route.shares.size() < 2 || tied == nullptr) {
    return embed_tokens_->project(x, dtype_, route.stream);
  }
  return quantized_matmul(x, tied->weight(), {.dtype = dtype_}, route.shares, route.stream);
}

std::vector<std::string> LlamaModel::parts() const {
  std::vector<std::string> paths{embed_path};
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    for (const char* part : {".self_attn", ".mlp"}) paths.push_back(layer_path(i) + part);
  }
  paths.insert(paths.end(), {norm_path, head_path});
  return paths;
}

std::vector<PlacementUnit> LlamaModel::placement_units(std::int64_t positions) {
  const std::vector<NamedArray> all = parameters();
  const auto unit = [&](std::vector<std::string> patterns, const std::string& weights) {
    PlacementUnit made{std::move(patterns)};
    for (const NamedArray& parameter : all) {
      if (!names_module(weights, parameter.name)) continue;
      made.bytes += parameter.value.bytes();
      made.largest_bytes = std::max(made.largest_bytes, parameter.value.bytes());
    }
    return made;
  };
  std::vector<PlacementUnit> units{unit({embed_path}, embed_path)};
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    units.push_back(unit({layer_path(i)}, layer_path(i)));
    const auto numbers = static_cast<std::size_t>(2 * positions * config_.kv_heads);
    units.back().bytes += numbers * static_cast<std::size_t>(config_.head_dim) * sizeof(float);
    units.back().largest_bytes *= 2;  // gate_proj and up_proj are joined
  }
  units.push_back(unit({norm_path, head_path}, lm_head_ ? head_path : embed_path));
  return units;
}

void LlamaModel::visit(Visitor& v) {
  v.slot(embed_path, embed_tokens_);
  for (std::size_t i = 0; i < blocks_.size(); ++i) v.slot(layer_path(i), blocks_[i]);
  v.slot(norm_path, norm_);
  v.slot(head_path, lm_head_);
}

}  // namespace

std::unique_ptr<LanguageModel> make_llama(const LlamaConfig& config, const Checkpoint& from,
                                          DType dtype, Strictness strictness) {
  require(is_float(dtype), "make_llama", "activations must be float, not ", dtype);
  check_config(config, from.where());
  Weights weights(from);
  auto model = std::make_unique<LlamaModel>(config, weights, dtype);
  enforce(weights.report(), strictness, from.where());
  return model;
}

}  // namespace clmx
