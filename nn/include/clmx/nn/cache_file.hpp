#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "clmx/nn/language_model.hpp"

namespace clmx {

/// Saves what a model holds of its sequences, so that a long prompt need be computed once only
/// (mlx-lm's save_prompt_cache): a safetensors file with "layers.N.keys" and "layers.N.values",
/// each [batch, kv_heads, length, head_dim] in the cache's dtype (new_cache: F32), and metadata
/// "format" clmx_kv_cache and "version" 1, to which `metadata` is added. It appears under its name
/// whole or not at all. Waits for the devices that hold the cache.
///
/// Throws ArgumentError when `metadata` says "format" or "version" or is not UTF-8, or when the
/// layers do not hold equally many positions; FormatError when the disk refuses.
void save_cache(const std::filesystem::path& path, const ModelCache& cache,
                const std::map<std::string, std::string>& metadata = {});

/// A cache that continues where the saved one was, with the same bits on any device (mlx-lm's
/// load_prompt_cache), for at most `positions` positions (absent: the context). One saved without
/// positions gives a new cache. That it was computed by this model is the caller's to know; its own
/// metadata: SafetensorsFile(path).metadata(). The file is mapped until the next forward has copied
/// each layer to its device; until then its bytes must not change (another file under its name does
/// no harm).
///
/// Throws FormatError when the file is none of these or of another version, when it has not this
/// model's layers, heads, head size or dtype, or more positions than its context; ArgumentError
/// when it has more than `positions`.
ModelCache load_cache(const std::filesystem::path& path, const LanguageModel& model,
                      std::optional<std::int64_t> positions = {});

}  // namespace clmx
