#include "gguf_checkpoint.hpp"

#include <array>
#include <utility>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;
constexpr std::array<Pair, 3> outer_names{
    {{"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}}};
constexpr std::array<Pair, 9> block_names{{{"attn_norm", "input_layernorm"},
                                           {"attn_q", "self_attn.q_proj"},
                                           {"attn_k", "self_attn.k_proj"},
                                           {"attn_v", "self_attn.v_proj"},
                                           {"attn_output", "self_attn.o_proj"},
                                           {"ffn_norm", "post_attention_layernorm"},
                                           {"ffn_gate", "mlp.gate_proj"},
                                           {"ffn_up", "mlp.up_proj"},
                                           {"ffn_down", "mlp.down_proj"}}};

std::string_view translated(std::span<const Pair> table, std::string_view name) {
  for (const auto& [gguf, mlx] : table) {
    if (gguf == name) return mlx;
  }
  return {};
}

}  // namespace

std::string mlx_name(const std::string& gguf_name) {
  const std::size_t dot = gguf_name.rfind('.');
  if (dot == std::string::npos) return gguf_name;
  const std::string_view stem = std::string_view(gguf_name).substr(0, dot);
  const std::string suffix = gguf_name.substr(dot);
  if (!stem.starts_with("blk.")) {
    const std::string_view outer = translated(outer_names, stem);
    return outer.empty() ? gguf_name : std::string(outer) + suffix;
  }
  const std::size_t after_index = stem.find('.', 4);
  if (after_index == std::string_view::npos) return gguf_name;
  const std::string_view inner = translated(block_names, stem.substr(after_index + 1));
  if (inner.empty()) return gguf_name;
  return join("model.layers.", stem.substr(4, after_index - 4), '.', inner, suffix);
}

std::vector<std::int64_t> unpermuted_rows(std::int64_t rows, std::int64_t heads) {
  const std::int64_t head_dim = rows / heads, half = head_dim / 2;
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t head = row / head_dim, i = row % head_dim;
    order[static_cast<std::size_t>(row)] = head * head_dim + (i % half) * 2 + i / half;
  }
  return order;
}

GgufCheckpoint::GgufCheckpoint(std::shared_ptr<const GgufFile> file, const LlamaConfig& config)
    : file_(std::move(file)) {
  for (const auto& [name, entry] : file_->tensors()) {
    if (name == "rope_freqs.weight") continue;  // part of the configuration
    const bool query = name.find(".attn_q.") != std::string::npos;
    const bool key = name.find(".attn_k.") != std::string::npos;
    const std::int64_t heads = query ? config.heads : key ? config.kv_heads : 0;
    const std::int64_t rows = entry.shape.empty() ? 0 : entry.shape[0];
    if (heads != 0 && rows % (2 * heads) != 0) {
      throw FormatError(where(), entry.file_offset,
                        join("tensor ", name, " has ", rows, " rows for ", heads, " heads"));
    }
    stored_[mlx_name(name)] = {name, heads};
  }
}

std::vector<std::string> GgufCheckpoint::names() const {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : stored_) result.push_back(name);
  return result;
}

const GgufCheckpoint::Stored& GgufCheckpoint::stored(const std::string& name) const {
  const auto found = stored_.find(name);
  if (found == stored_.end()) throw FormatError(where(), 0, "tensor " + name + " is missing");
  return found->second;
}

std::vector<std::int64_t> GgufCheckpoint::row_order(const Stored& tensor) const {
  if (tensor.permuted_heads == 0) return {};
  return unpermuted_rows(file_->at(tensor.name).shape[0], tensor.permuted_heads);
}

Array GgufCheckpoint::array(const std::string& name) const {
  const Stored& tensor = stored(name);
  return gguf_array(*file_, tensor.name, row_order(tensor));
}

std::optional<QuantizedWeight> GgufCheckpoint::quantized(const std::string& path,
                                                         std::int64_t in_features) const {
  const Stored& tensor = stored(path + ".weight");
  const TensorEntry& entry = file_->at(tensor.name);
  if (!is_quantized_gguf_type(entry.type)) return std::nullopt;
  if (entry.shape.size() != 2 || entry.shape[1] != in_features) {
    throw FormatError(where(), entry.file_offset,
                      join("tensor ", tensor.name, " is not a matrix ", in_features, " wide"));
  }
  return gguf_weight(*file_, tensor.name, row_order(tensor));
}

}  // namespace clmx
