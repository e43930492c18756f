#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "clmx/host/stream_or_device.hpp"
#include "clmx/nn/quantization_plan.hpp"

namespace clmx {

struct QuantizeCheckpointOptions {
  QuantizationParams params = {};  ///< of the layers that no rule of the plan names
  QuantizationPlan plan = {};
  bool replace = false;                     ///< whether a checkpoint at the target is replaced
  std::uint64_t shard_bytes = 5ULL << 30U;  ///< of data in one file, as mlx-lm; one layer at least
  /// Told how many bytes of the source's tensors are done, of how many. What it throws ends the
  /// call, and nothing is left.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

/// What became of a checkpoint.
struct QuantizedCheckpoint {
  struct Layer {
    std::string path;
    QuantizationParams params;  ///< group_size and bits always given
  };
  std::vector<Layer> quantized;            ///< by this call
  std::vector<std::string> already;        ///< layers that were quantized before, kept as they are
  std::vector<std::string> kept;           ///< by the plan, or routers (below)
  std::vector<std::string> not_divisible;  ///< kept, as the group size does not divide the width
  std::vector<std::string> files;          ///< all of them, sorted
  std::size_t tensors = 0;
  std::uint64_t bytes = 0, source_bytes = 0;  ///< of the tensors' data
  std::uint64_t parameters = 0;               ///< scales and biases not counted
  /// As mlx-lm: all bytes of the result over the parameters.
  double bits_per_weight() const;
};

/// Quantizes a checkpoint folder (MLX's or Hugging Face's: config.json, one or more .safetensors)
/// into another folder, as mlx-lm writes it, tensor by tensor in blocks of rows: the memory needed
/// does not grow with the model.
///
/// A layer is a float tensor <path>.weight of two axes, or of three when <path> is a stack of
/// experts (a part of the path is "experts" or begins with "switch_"). Without a rule of the plan a
/// layer takes options.params, unless mlx-lm quantizes or keeps it otherwise in models of its
/// family (model_type; most of these are routers with 8 bits in groups of 64). It is kept when its
/// width is not divisible, when its scales are there already, and when it is a router of another
/// family (one of the last two parts of the path is "gate", "shared_expert_gate" or "router").
/// Scales and biases have the dtype of the weight. What is written: model.safetensors or shards
/// with {"format": "mlx"}, model.safetensors.index.json, config.json with "quantization" and its
/// copy "quantization_config" (layers that a rule names, or all new ones if the source was
/// quantized in part, are listed by path; those kept by the plan as false), and copies of
/// tokenizer, licence and other text files.
/// rotary_emb.inv_freq and the head of a model with tied embeddings are left out, as mlx-lm does.
///
/// The target appears whole or not at all, see AtomicFolder. Throws, with nothing changed:
/// FormatError for a source or plan that cannot be read, is not whole, is quantized by another
/// scheme or has no layer that is not quantized, and when the disk refuses (its file() then lies at
/// or beside the target); ArgumentError when the target is there and not to be replaced, is no
/// checkpoint, holds other folders or anything of the source, when a pattern of the plan fits no
/// layer, a layer named by the plan is not divisible (it says which), or plan and group size leave
/// no layer to quantize.
QuantizedCheckpoint quantize_checkpoint(const std::filesystem::path& source,
                                        const std::filesystem::path& target,
                                        const QuantizeCheckpointOptions& options = {},
                                        StreamOrDevice s = {});

}  // namespace clmx
