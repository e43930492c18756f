#include "encoder.hpp"

#include <cmath>
#include <numeric>

#include "clmx/host/ops.hpp"

namespace {

constexpr float eps = 1e-12F;

// What load_weights replaces.
std::unique_ptr<clmx::Linear> linear(std::int64_t in, std::int64_t out) {
  return std::make_unique<clmx::Linear>(clmx::Linear::random(in, out, 0));
}

std::unique_ptr<clmx::Embedding> table(std::int64_t count, std::int64_t dims) {
  return std::make_unique<clmx::Embedding>(clmx::Embedding::random(count, dims, 0));
}

}  // namespace

EncoderBlock::EncoderBlock(const EncoderSizes& sizes)
    : heads_(sizes.heads),
      query_(linear(sizes.dims, sizes.dims)),
      key_(linear(sizes.dims, sizes.dims)),
      value_(linear(sizes.dims, sizes.dims)),
      attention_output_(linear(sizes.dims, sizes.dims)),
      intermediate_(linear(sizes.dims, sizes.inner)),
      output_(linear(sizes.inner, sizes.dims)),
      attention_norm_(clmx::LayerNorm::ones(sizes.dims, eps)),
      norm_(clmx::LayerNorm::ones(sizes.dims, eps)) {}

clmx::Array EncoderBlock::attention(const clmx::Array& x, const clmx::Stream& s) const {
  const clmx::Shape heads{1, x.shape(1), heads_, x.shape(2) / heads_};
  const auto part = [&](const auto& projection) {
    return projection->forward(x, s).reshape(heads);
  };
  const float scale = 1.0F / std::sqrt(static_cast<float>(heads[3]));
  const clmx::AttentionOptions how{.scale = scale, .layout = clmx::AttentionLayout::bthd};
  const clmx::Array mixed =
      clmx::scaled_dot_product_attention(part(query_), part(key_), part(value_), how, s);
  return attention_output_->forward(mixed.reshape(x.shape()), s);
}

clmx::Array EncoderBlock::forward(const clmx::Array& x, const clmx::Stream& s) const {
  const clmx::Array seen = attention_norm_.forward(clmx::add(x, attention(x, s), s), s);
  const clmx::Array inner = clmx::gelu(intermediate_->forward(seen, s), s);
  return norm_.forward(clmx::add(seen, output_->forward(inner, s), s), s);
}

void EncoderBlock::visit(clmx::Visitor& v) {
  v.slot("attention.self.query", query_);
  v.slot("attention.self.key", key_);
  v.slot("attention.self.value", value_);
  v.slot("attention.output.dense", attention_output_);
  v.child("attention.output.LayerNorm", attention_norm_);
  v.slot("intermediate.dense", intermediate_);
  v.slot("output.dense", output_);
  v.child("output.LayerNorm", norm_);
}

Encoder::Encoder(const EncoderSizes& sizes)
    : words_(table(sizes.words, sizes.dims)),
      positions_(table(sizes.positions, sizes.dims)),
      types_(table(2, sizes.dims)),
      norm_(clmx::LayerNorm::ones(sizes.dims, eps)) {
  for (std::int64_t i = 0; i < sizes.layers; ++i) blocks_.emplace_back(sizes);
}

clmx::Array Encoder::forward(const clmx::Array& ids, clmx::StreamOrDevice where) const {
  const clmx::Stream s = where.resolve();
  const std::int64_t length = ids.shape(0);
  std::vector<std::int32_t> places(static_cast<std::size_t>(length));
  const clmx::Array types = clmx::Array::from(places, {length});
  std::iota(places.begin(), places.end(), 0);
  const clmx::Array positions = clmx::Array::from(places, {length});
  // Quantized tables give bf16 in the floating modes; lookup says what it should be.
  const auto rows = [&](const auto& from, const clmx::Array& at) {
    return from->lookup(at, clmx::DType::f32, s);
  };
  clmx::Array x = clmx::add(rows(words_, ids), rows(types_, types), s);
  x = norm_.forward(clmx::add(x, rows(positions_, positions), s), s);
  x = x.reshape({1, length, x.shape(1)});
  for (const EncoderBlock& block : blocks_) x = block.forward(x, s);
  return x;
}

std::vector<double> Encoder::sentence(const clmx::Array& ids, clmx::StreamOrDevice s) const {
  const clmx::Array hidden = forward(ids, s);
  const std::vector<float> values = hidden.to_vector<float>();
  std::vector<double> mean(static_cast<std::size_t>(hidden.shape(2)));
  for (std::size_t i = 0; i < values.size(); ++i) mean[i % mean.size()] += values[i];
  double squares = 0;
  for (const double v : mean) squares += v * v;
  for (double& v : mean) v /= std::sqrt(squares);
  return mean;
}

void Encoder::visit(clmx::Visitor& v) {
  v.slot("embeddings.word_embeddings", words_);
  v.slot("embeddings.position_embeddings", positions_);
  v.slot("embeddings.token_type_embeddings", types_);
  v.child("embeddings.LayerNorm", norm_);
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    v.child("encoder.layer." + std::to_string(i), blocks_[i]);
}
