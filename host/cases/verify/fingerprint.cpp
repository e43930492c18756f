#include "fingerprint.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/safetensors.hpp"
#include "digest.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> prompts{"The capital of France is",
                                             "def fibonacci(n):", "Once upon a time there was a"};
constexpr int greedy_tokens = 4;

/// Runs one prompt and adds its steps.
class PromptSteps {
 public:
  PromptSteps(LanguageModel& model, Stream stream, std::size_t prompt, Fingerprint& result)
      : model_(model), stream_(std::move(stream)), prompt_(prompt), result_(result) {}

  void run(const std::vector<std::int32_t>& tokens) {
    add("token ids", std::as_bytes(std::span(tokens)));
    const auto length = static_cast<std::int64_t>(tokens.size());
    ModelCache cache = model_.new_cache(length + greedy_tokens);
    std::vector<float> logits = forward(tokens, cache, LogitRows::all);
    const auto vocabulary = static_cast<std::size_t>(model_.vocabulary());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      add(join("logits at position ", i),
          std::as_bytes(std::span(logits).subspan(i * vocabulary, vocabulary)));
    }
    for (int i = 0; i < greedy_tokens; ++i) {
      const auto last = logits.end() - static_cast<std::ptrdiff_t>(vocabulary);
      const auto best = static_cast<std::int32_t>(std::max_element(last, logits.end()) - last);
      logits = forward(std::vector{best}, cache, LogitRows::last);
      add(join("logits after greedy token ", i), std::as_bytes(std::span(logits)));
    }
  }

 private:
  std::vector<float> forward(const std::vector<std::int32_t>& tokens, ModelCache& cache,
                             LogitRows rows) {
    return cast(model_.forward(tokens, cache, rows, stream_), DType::f32, stream_)
        .to_vector<float>();
  }
  void add(const std::string& what, std::span<const std::byte> bytes) {
    result_.steps.push_back({join("prompt ", prompt_ + 1, ", ", what), hex_digest(bytes)});
  }

  LanguageModel& model_;
  Stream stream_;
  std::size_t prompt_;
  Fingerprint& result_;
};

bool belongs_to_model(const fs::path& file) {
  return file.filename() == "config.json" || file.extension() == ".safetensors";
}

}  // namespace

std::span<const char* const> fixed_prompts() {
  return prompts;
}

std::string Fingerprint::value() const {
  std::string all;
  for (const Step& step : steps) all += step.digest;
  return hex_digest(std::as_bytes(std::span(all)));
}

Fingerprint fingerprint_of(const ModelFile& file, LanguageModel& model, StreamOrDevice s) {
  const Tokenizer tokenizer = file.tokenizer();
  Fingerprint result;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    PromptSteps(model, s.resolve(), i, result).run(tokenizer.encode(prompts.at(i)));
  }
  return result;
}

std::optional<std::string> first_difference(const Fingerprint& a, const Fingerprint& b) {
  const std::size_t common = std::min(a.steps.size(), b.steps.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (a.steps[i].digest != b.steps[i].digest) return b.steps[i].name;
  }
  if (a.steps.size() == b.steps.size()) return std::nullopt;
  return "the number of steps";
}

std::string model_digest(const fs::path& path) {
  if (!fs::is_directory(path)) return hex_digest(map_file(path).bytes);
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (belongs_to_model(entry.path())) files.insert(entry.path());
  }
  std::string all;
  for (const fs::path& file : files)
    all += file.filename().string() + ' ' + hex_digest(map_file(file).bytes) + '\n';
  return hex_digest(std::as_bytes(std::span(all)));
}

}  // namespace clmx
