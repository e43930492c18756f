#pragma once

#include <string>
#include <vector>

#include "clmx/nn/tokenizer.hpp"

namespace clmx::cli {

/// Ids of raw text: special tokens are parsed, BOS comes first only where the model says so. Throws
/// ArgumentError when it is not UTF-8.
std::vector<std::int32_t> raw_tokens(const Tokenizer& tokenizer, const std::string& text);
/// The same of one user message in the model's chat template.
std::vector<std::int32_t> chat_tokens(const Tokenizer& tokenizer, const std::string& message);

}  // namespace clmx::cli
