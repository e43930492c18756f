#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "clmx/nn/model_file.hpp"
#include "op_case.hpp"

namespace clmx::cli {

/// The logits of one text as another program wrote them.
struct GivenLogits {
  std::vector<std::int32_t> tokens;  ///< empty when the file does not tell
  DoubleArray logits;                ///< [tokens, vocabulary]
};

bool names_logits(const std::string& file);  ///< by its ending

/// Tensors `logits`, [tokens, vocabulary] or [1, tokens, vocabulary], f32, f16 or bf16, and perhaps
/// `tokens`, [tokens] or [1, tokens], integers. Throws FormatError, saying what there is and what
/// was wanted, for anything else, also for ids or a vocabulary that are not the model's.
GivenLogits read_logits(const std::filesystem::path& file, std::int64_t vocabulary);
/// Throws FormatError unless there is a row for each token.
void check_rows(const GivenLogits& given, std::size_t tokens, const std::string& file);

}  // namespace clmx::cli
