#pragma once

#include <memory>
#include <vector>

#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/config.hpp"
#include "clmx/nn/language_model.hpp"

namespace clmx {

/// A decoder of the llama family from its checkpoint. Activations have `dtype`; every op returns
/// it. Throws FormatError for missing or ill-shaped tensors and for what strictness forbids.
std::unique_ptr<LanguageModel> make_llama(const LlamaConfig& config, const Checkpoint& from,
                                          DType dtype = DType::f32,
                                          Strictness strictness = Strictness::strict);

}  // namespace clmx
