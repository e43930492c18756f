#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "clmx/nn/model_file.hpp"

namespace clmx {

/// What a model computes on a device, in one value. For each of a few fixed prompts, tokenized as
/// raw text: the ids, then the f32 logits at every position, then some greedy tokens, each with the
/// logits that chose it. Activations are f32.
struct Fingerprint {
  /// A digest of each step, and what it is: "prompt 1, logits at position 3".
  struct Step {
    std::string name, digest;
  };
  std::vector<Step> steps;
  /// Of all steps: 32 hexadecimal digits.
  std::string value() const;
};

/// The prompts of a fingerprint and of a comparison of models.
std::span<const char* const> fixed_prompts();

/// `model` is loaded from `file` with f32 activations. Throws FormatError when the file has no
/// tokenizer.
Fingerprint fingerprint_of(const ModelFile& file, LanguageModel& model, StreamOrDevice s);

/// The first step that differs: its name in b; nothing when all are the same.
std::optional<std::string> first_difference(const Fingerprint& a, const Fingerprint& b);

/// A digest of a model's files: a .gguf file, or config.json and the tensors of a folder.
std::string model_digest(const std::filesystem::path& path);

/// The fingerprint that every device has to give, by model_digest, its steps without names; null
/// for models that the program does not know.
const Fingerprint* published_fingerprint(const std::string& digest);

}  // namespace clmx
