#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "clmx/nn/model_file.hpp"
#include "compare_model.hpp"
#include "compare_options.hpp"

namespace clmx::cli {

/// The prompts of a file: a JSON list of texts when it begins with "[", else one a line, empty
/// lines passed over. Throws UsageError, naming --prompts, for anything else.
std::vector<std::string> read_prompts(const std::filesystem::path& file);

/// The token ids of --text, of each prompt of --prompts, or of the fixed ones. Throws UsageError
/// for a prompt of no tokens or more than the model takes.
Prompts prompts_of(const ModelFile& file, const CompareOptions& options);

/// The same when logits of another program are to be compared: its own ids as far as it tells them,
/// else those of the only text given. Throws UsageError when there is none, or both and they
/// differ.
Prompts prompts_of(const ModelFile& file, const CompareOptions& options,
                   const std::vector<std::int32_t>& told);

}  // namespace clmx::cli
