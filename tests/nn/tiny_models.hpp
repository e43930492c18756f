#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "clmx/host/safetensors.hpp"

namespace clmx {

inline std::filesystem::path tiny_folder(const std::string& name) {
  return std::filesystem::path(CLMX_TEST_DATA) / "tiny" / name;
}

/// The checkpoints of tests/data/tiny; all hold a llama of two layers.
inline const std::vector<std::string>& tiny_names() {
  static const std::vector<std::string> names = {"llama_affine4_g64_bf16",
                                                 "llama_affine8_g64_bf16",
                                                 "llama_affine4_g64_f16_tied",
                                                 "llama_mxfp4",
                                                 "llama_sharded_affine4",
                                                 "llama_traditional_rope_f16",
                                                 "llama_affine4_g32_f32_bias_llama3rope",
                                                 "llama_unquantized_f16_tied"};
  return names;
}

/// One prompt of a tiny checkpoint and what a float64 forward makes of it.
struct TinyPrompt {
  std::string name;
  std::vector<std::int32_t> tokens, greedy;
  std::vector<float> logits;  ///< [tokens, vocabulary]
};

inline std::vector<TinyPrompt> tiny_prompts(const std::string& model) {
  const SafetensorsFile file(tiny_folder(model) / "reference.safetensors");
  std::vector<TinyPrompt> prompts;
  for (const char* name : {"p0", "p1", "p2", "p3"}) {
    const std::string prefix = name;
    prompts.push_back({prefix, file.array(prefix + ".tokens").to_vector<std::int32_t>(),
                       file.array(prefix + ".greedy_tokens").to_vector<std::int32_t>(),
                       file.array(prefix + ".logits_f64ref").to_vector<float>()});
  }
  return prompts;
}

}  // namespace clmx
