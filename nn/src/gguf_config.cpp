#include <cmath>
#include <limits>

#include "clmx/devices/error.hpp"
#include "clmx/nn/config.hpp"
#include "llama_frequencies.hpp"

namespace clmx {
namespace {

[[noreturn]] void fail(const GgufFile& file, const std::string& reason) {
  throw FormatError(file.path().string(), 0, reason);
}

std::int64_t positive(const GgufFile& file, const std::string& key, std::int64_t value) {
  if (value < 1 || value > std::numeric_limits<std::int32_t>::max()) {
    fail(file, join(key, " is out of range: ", value));
  }
  return value;
}

std::int64_t positive(const GgufFile& file, const std::string& key) {
  return positive(file, key, file.integer(key));
}

double positive_number(const GgufFile& file, const std::string& key, double value) {
  if (!std::isfinite(value) || value <= 0) fail(file, join(key, " is out of range: ", value));
  return value;
}

void read_rope(const GgufFile& file, LlamaConfig& config) {
  config.rope.dims = static_cast<int>(
      positive(file, "llama.rope.dimension_count",
               file.integer_if("llama.rope.dimension_count").value_or(config.head_dim)));
  config.rope.base = positive_number(file, "llama.rope.freq_base",
                                     file.number_if("llama.rope.freq_base").value_or(10000.0));
  const std::string kind = file.text_if("llama.rope.scaling.type").value_or("none");
  if (kind == "linear") {
    config.rope.scale = 1.0 / positive_number(file, "llama.rope.scaling.factor",
                                              file.number("llama.rope.scaling.factor"));
  } else if (kind != "none") {
    fail(file, "llama.rope.scaling.type '" + kind + "' is not supported");
  }
  if (!file.tensors().contains("rope_freqs.weight")) return;
  // Converters of Llama 3.1 store what its scaling makes of each period as a factor.
  const std::vector<float> factors = gguf_array(file, "rope_freqs.weight").to_vector<float>();
  std::vector<double> periods = rope_periods(*config.rope.base, config.rope.dims);
  if (factors.size() != periods.size()) fail(file, "rope_freqs.weight has the wrong size");
  for (std::size_t i = 0; i < periods.size(); ++i) {
    periods[i] *= positive_number(file, "rope_freqs.weight", static_cast<double>(factors[i]));
  }
  config.rope.periods = std::move(periods);
  config.rope.base.reset();
}

}  // namespace

LlamaConfig parse_config(const GgufFile& file) {
  const std::string family = file.text("general.architecture");
  if (family != "llama") fail(file, "architecture '" + family + "' is not supported: llama is");
  LlamaConfig config;
  config.hidden_size = positive(file, "llama.embedding_length");
  config.intermediate_size = positive(file, "llama.feed_forward_length");
  config.layers = positive(file, "llama.block_count");
  config.heads = positive(file, "llama.attention.head_count");
  config.kv_heads =
      positive(file, "llama.attention.head_count_kv",
               file.integer_if("llama.attention.head_count_kv").value_or(config.heads));
  config.head_dim = positive(
      file, "llama.attention.key_length",
      file.integer_if("llama.attention.key_length").value_or(config.hidden_size / config.heads));
  config.context = positive(file, "llama.context_length");
  config.rms_norm_eps = static_cast<float>(
      positive_number(file, "rms epsilon", file.number("llama.attention.layer_norm_rms_epsilon")));
  const TensorEntry& table = file.at("token_embd.weight");
  if (table.shape.size() != 2) fail(file, "token_embd.weight is not a matrix");
  config.vocabulary = positive(file, "rows of token_embd.weight", table.shape[0]);
  config.tied_head = !file.tensors().contains("output.weight");
  if (const auto eos = file.integer_if("tokenizer.ggml.eos_token_id")) {
    if (*eos < 0 || *eos >= config.vocabulary) fail(file, "eos_token_id is out of range");
    config.eos = {static_cast<std::int32_t>(*eos)};
  }
  read_rope(file, config);
  check_config(config, file.path().string());
  return config;
}

}  // namespace clmx
