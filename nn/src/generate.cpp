#include "clmx/nn/generate.hpp"

#include <algorithm>

#include "clmx/devices/clock.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/devices/trace.hpp"
#include "clmx/host/ops_basic.hpp"

namespace clmx {
namespace {

/// Chooses from the logits of one position; greedily on the device, where 4 bytes come back.
class NextToken {
 public:
  NextToken(const SamplingOptions& options, const Stream& stream)
      : sampler_(options), stream_(stream) {}
  /// logits: [1, vocabulary].
  std::int32_t choose(const Array& logits) {
    if (sampler_.options().temperature == 0) {
      chosen_ = argmax(logits, where_logits_are(logits));
      return chosen_.item<std::int32_t>();
    }
    const std::vector<float> values = cast(logits, DType::f32, stream_).to_vector<float>();
    const std::int32_t token = sampler_.next(values);
    chosen_ = Array::from(std::vector<std::int32_t>{token}, Shape{1});
    return token;
  }
  const Array& array() const { return chosen_; }  ///< [1] i32, perhaps on the device

 private:
  /// A placed model may have computed them elsewhere: the choice is less to move than they are.
  Stream where_logits_are(const Array& logits) const {
    const std::optional<Device> home = logits.home();
    return home && *home != stream_.device() ? home->default_stream() : stream_;
  }

  Sampler sampler_;
  Stream stream_;
  Array chosen_;
};

}  // namespace

bool ends(const LanguageModel& model, const GenerateOptions& options, std::int32_t token) {
  if (options.ignore_eos) return false;
  const auto holds = [&](const std::vector<std::int32_t>& ids) {
    return std::ranges::find(ids, token) != ids.end();
  };
  return holds(model.eos()) || holds(options.stop_tokens);
}

std::string_view to_string(Finish finish) {
  switch (finish) {
    case Finish::eos:
      return "eos";
    case Finish::length:
      return "length";
    case Finish::stop:
      break;
  }
  return "stop";
}

Array prefill(LanguageModel& model, std::span<const std::int32_t> prompt, ModelCache& cache,
              std::int64_t chunk, const std::function<bool()>& go_on, StreamOrDevice s) {
  const TraceScope traced("prompt");
  require(!prompt.empty(), "prefill", "the prompt has no tokens");
  require(chunk > 0, "prefill", "a chunk of ", chunk, " tokens");
  const Stream stream = s.resolve();
  const auto step = static_cast<std::size_t>(chunk);
  for (; prompt.size() > step; prompt = prompt.subspan(step)) {
    model.forward(prompt.first(step), cache, LogitRows::none, stream);
    if (go_on && !go_on()) return {};
  }
  return model.forward(prompt, cache, LogitRows::last, stream);
}

Generation generate(LanguageModel& model, std::span<const std::int32_t> prompt,
                    const GenerateOptions& options, const GenerateCallbacks& callbacks,
                    StreamOrDevice s) {
  const auto prompt_tokens = static_cast<std::int64_t>(prompt.size());
  require(prompt_tokens <= model.context(), "generate", "the prompt has ", prompt_tokens,
          " tokens, the model's context is ", model.context());
  require(options.max_tokens >= 0, "generate", "max_tokens is negative");
  const Stream stream = s.resolve();
  NextToken next(options.sampling, stream);
  const std::int64_t room = model.context() - prompt_tokens;
  ModelCache cache = model.new_cache(
      std::max<std::int64_t>(1, prompt_tokens + std::min(room, options.max_tokens)));

  Generation result;
  if (options.max_tokens == 0) return result;
  const auto stop = [&](Finish finish) {
    result.finish = finish;
    return result;
  };
  auto begin = Clock::now();
  const double built_before = build_stats().build_seconds;
  Array logits = prefill(model, prompt, cache, options.prefill_chunk, callbacks.go_on, stream);
  if (logits.size() == 0) return stop(Finish::stop);
  while (true) {
    const TraceScope traced("token");
    const std::int32_t token = next.choose(logits);
    if (result.tokens.empty()) {
      result.prefill_s = seconds_since(begin);
      result.prefill_build_s = build_stats().build_seconds - built_before;
      begin = Clock::now();
    }
    result.tokens.push_back(token);
    result.decode_s = seconds_since(begin);
    if (callbacks.on_token && !callbacks.on_token(token)) return stop(Finish::stop);
    if (ends(model, options, token)) return stop(Finish::eos);
    if (static_cast<std::int64_t>(result.tokens.size()) == options.max_tokens ||
        cache.length() == cache.limit()) {
      return stop(Finish::length);
    }
    logits = model.forward(next.array(), cache, LogitRows::last, stream);
  }
}

}  // namespace clmx
