#pragma once

#include <map>
#include <memory>
#include <vector>

#include "clmx/host/gguf.hpp"
#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/config.hpp"

namespace clmx {

/// The tensors of a GGUF file of the llama architecture under MLX's names, the rows of Q and K in
/// MLX's order.
class GgufCheckpoint final : public Checkpoint {
 public:
  GgufCheckpoint(std::shared_ptr<const GgufFile> file, const LlamaConfig& config);

  std::string where() const override { return file_->path().string(); }
  std::vector<std::string> names() const override;
  bool has(const std::string& name) const override { return stored_.contains(name); }
  Array array(const std::string& name) const override;
  std::optional<QuantizedWeight> quantized(const std::string& path,
                                           std::int64_t in_features) const override;

 private:
  /// A tensor of the file and, for Q and K, the heads whose rows are permuted (0: none are).
  struct Stored {
    std::string name;
    std::int64_t permuted_heads = 0;
  };
  const Stored& stored(const std::string& name) const;
  std::vector<std::int64_t> row_order(const Stored& tensor) const;

  std::shared_ptr<const GgufFile> file_;
  std::map<std::string, Stored> stored_;
};

/// MLX's name of a tensor of the llama architecture: "model.layers.0.self_attn.q_proj.weight" for
/// "blk.0.attn_q.weight"; unknown names are returned as they are.
std::string mlx_name(const std::string& gguf_name);

/// Source row of each row of a Q or K matrix: undoes llama.cpp's order, in which the two halves of
/// a head alternate.
std::vector<std::int64_t> unpermuted_rows(std::int64_t rows, std::int64_t heads);

}  // namespace clmx
