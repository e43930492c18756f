#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "clmx/nn/language_model.hpp"
#include "clmx/nn/sampler.hpp"

namespace clmx {

struct GenerateOptions {
  std::int64_t max_tokens = 256;
  bool ignore_eos = false;
  std::vector<std::int32_t> stop_tokens = {};  ///< end an answer too, beside the model's eos
  SamplingOptions sampling = {};               ///< temperature 0: greedy, chosen on the device
  std::int64_t prefill_chunk = 512;  ///< prompt tokens per forward; does not change any bit
};

/// Why a generation ended: an id of the model's eos list, max_tokens or the context, or the caller.
enum class Finish { eos, length, stop };
std::string_view to_string(Finish finish);

struct Generation {
  std::vector<std::int32_t> tokens;  ///< every generated id, a final eos included
  Finish finish = Finish::length;
  double prefill_s = 0;        ///< host seconds from the start to the first token
  double prefill_build_s = 0;  ///< of these, spent in compiling and loading kernels
  double decode_s = 0;         ///< from the first token to the last
};

/// The caller's part in a generation; either may be left out.
struct GenerateCallbacks {
  std::function<bool(std::int32_t token)> on_token = {};  ///< each token as chosen; false stops
  std::function<bool()> go_on = {};  ///< asked between chunks of the prompt; false stops
};

/// Whether generation stops at this token: one of the model's eos or of stop_tokens, unless
/// ignore_eos.
bool ends(const LanguageModel& model, const GenerateOptions& options, std::int32_t token);

/// Continues the prompt. Throws ArgumentError for an empty prompt, one longer than the context, ids
/// out of range or sampling options out of range.
Generation generate(LanguageModel& model, std::span<const std::int32_t> prompt,
                    const GenerateOptions& options, const GenerateCallbacks& callbacks = {},
                    StreamOrDevice s = {});

/// Runs the prompt through the model in chunks and returns the logits of its last position,
/// [1, vocabulary]; an empty array when go_on said no between two chunks.
Array prefill(LanguageModel& model, std::span<const std::int32_t> prompt, ModelCache& cache,
              std::int64_t chunk, const std::function<bool()>& go_on = {}, StreamOrDevice s = {});

}  // namespace clmx
