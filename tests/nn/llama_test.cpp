#include "clmx/nn/llama.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/nn/generate.hpp"
#include "clmx/nn/model_file.hpp"
#include "support/test_devices.hpp"
#include "tiny_models.hpp"

namespace clmx {
namespace {

double largest_error(const std::vector<float>& got, const std::vector<float>& wanted) {
  if (got.size() != wanted.size()) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - static_cast<double>(wanted[i]));
    if (!(error <= worst)) worst = error;  // NaN too
  }
  return worst;
}

std::vector<float> logits_of(LanguageModel& model, const std::vector<std::int32_t>& tokens,
                             std::size_t chunk, const Device& device) {
  ModelCache cache = model.new_cache();
  std::vector<float> values;
  for (std::size_t at = 0; at < tokens.size(); at += chunk) {
    const auto part = std::span(tokens).subspan(at, std::min(chunk, tokens.size() - at));
    const auto read = model.forward(part, cache, LogitRows::all, device).to_vector<float>();
    values.insert(values.end(), read.begin(), read.end());
  }
  return values;
}

class TinyLlama : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<LanguageModel> load(const LoadOptions& options = {}) const {
    return load_model(tiny_folder(GetParam()), options);
  }
};

TEST_P(TinyLlama, LogitsAreThoseOfTheFloat64ForwardOnEveryDevice) {
  const auto model = load();
  for (const Device& device : test_devices()) {
    for (const TinyPrompt& prompt : tiny_prompts(GetParam())) {
      const auto logits = logits_of(*model, prompt.tokens, prompt.tokens.size(), device);
      EXPECT_LE(largest_error(logits, prompt.logits), 3e-4)
          << prompt.name << " on " << device.info().selector;
    }
  }
}

TEST_P(TinyLlama, LogitsHaveTheSameBitsOnEveryDeviceAndForEveryChunk) {
  const auto model = load();
  for (const TinyPrompt& prompt : tiny_prompts(GetParam())) {
    std::optional<std::vector<float>> first;
    for (const Device& device : test_devices()) {
      for (const std::size_t chunk : {prompt.tokens.size(), std::size_t{1}, std::size_t{5}}) {
        const auto logits = logits_of(*model, prompt.tokens, chunk, device);
        if (!first) first = logits;
        EXPECT_TRUE(logits == *first)
            << prompt.name << " in chunks of " << chunk << " on " << device.info().selector;
      }
    }
  }
}

TEST_P(TinyLlama, GreedyTokensAreThoseOfTheFloat64Forward) {
  const auto model = load();
  for (const Device& device : test_devices()) {
    for (const TinyPrompt& prompt : tiny_prompts(GetParam())) {
      const GenerateOptions options{.max_tokens = static_cast<std::int64_t>(prompt.greedy.size()),
                                    .ignore_eos = true,
                                    .prefill_chunk = 16};
      const Generation run = generate(*model, prompt.tokens, options, {}, device);
      EXPECT_EQ(run.tokens, prompt.greedy) << prompt.name << " on " << device.info().selector;
      EXPECT_EQ(run.finish, Finish::length);
    }
  }
}

TEST_P(TinyLlama, NarrowActivationsStayCloseToTheReference) {
  const std::map<DType, double> bounds = {{DType::f16, 0.15}, {DType::bf16, 1.5}};
  const Device device = test_devices().front();
  for (const auto& [dtype, bound] : bounds) {
    const auto model = load({.dtype = dtype});
    for (const TinyPrompt& prompt : tiny_prompts(GetParam())) {
      ModelCache cache = model->new_cache();
      const Array logits = model->forward(prompt.tokens, cache, LogitRows::all, device);
      ASSERT_EQ(logits.dtype(), dtype);
      const auto values = cast(logits, DType::f32, device).to_vector<float>();
      EXPECT_LE(largest_error(values, prompt.logits), bound) << prompt.name << ' ' << dtype;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, TinyLlama, testing::ValuesIn(tiny_names()),
                         [](const auto& test) { return test.param; });

TEST(Llama, LastLogitsAreTheLastRowOfAll) {
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  const Device device = test_devices().front();
  const std::vector<std::int32_t> tokens = {5, 9, 200, 17};
  ModelCache first = model->new_cache(), second = model->new_cache();
  const Array all = model->forward(tokens, first, LogitRows::all, device);
  const Array last = model->forward(tokens, second, LogitRows::last, device);
  EXPECT_EQ(all.shape(), (Shape{4, 320}));
  EXPECT_EQ(last.shape(), (Shape{1, 320}));
  EXPECT_EQ(all.rows(3, 4).to_vector<float>(), last.to_vector<float>());
}

TEST(Llama, TruncatedCacheGivesTheSameLogitsAgain) {
  const auto model = load_model(tiny_folder("llama_mxfp4"));
  const Device device = test_devices().front();
  const std::vector<std::int32_t> tokens = {5, 9, 200, 17}, tail = {1, 2};
  ModelCache cache = model->new_cache();
  model->forward(tokens, cache, LogitRows::none, device);
  const auto once = model->forward(tail, cache, LogitRows::last, device).to_vector<float>();
  cache.truncate(4);
  EXPECT_EQ(cache.length(), 4);
  EXPECT_EQ(model->forward(tail, cache, LogitRows::last, device).to_vector<float>(), once);
  EXPECT_THROW(cache.truncate(7), ArgumentError);
}

TEST(Llama, RefusesIdsOutsideTheVocabulary) {
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  ModelCache cache = model->new_cache();
  for (const std::int32_t id : {-1, 320}) {
    const std::vector<std::int32_t> tokens = {1, id};
    EXPECT_THROW(model->forward(tokens, cache), ArgumentError) << id;
  }
  EXPECT_THROW(model->forward(std::vector<std::int32_t>{}, cache), ArgumentError);
  EXPECT_EQ(cache.length(), 0);
}

TEST(Llama, RefusesMorePositionsThanTheCacheHolds) {
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  ModelCache cache = model->new_cache(3);
  EXPECT_THROW(model->forward(std::vector<std::int32_t>{1, 2, 3, 4}, cache), ArgumentError);
  EXPECT_EQ(cache.length(), 0);
  EXPECT_THROW(model->new_cache(513), ArgumentError);
  EXPECT_THROW(model->new_cache(0), ArgumentError);
}

TEST(Llama, ParametersHaveTheNamesOfTheCheckpoint) {
  const ModelFile file(tiny_folder("llama_affine4_g64_bf16"));
  const auto model = file.load();
  std::vector<std::string> names;
  for (const NamedArray& parameter : model->parameters()) {
    names.push_back(parameter.name);
    EXPECT_EQ(parameter.value.shape(), file.checkpoint().array(parameter.name).shape())
        << parameter.name;
  }
  std::ranges::sort(names);
  EXPECT_EQ(names, file.checkpoint().names());
}

TEST(Llama, LoadingWeightsAgainGivesTheSameLogits) {
  const ModelFile file(tiny_folder("llama_affine4_g64_bf16"));
  const ModelFile other(tiny_folder("llama_sharded_affine4"));
  const Device device = test_devices().front();
  const TinyPrompt prompt = tiny_prompts("llama_sharded_affine4")[1];
  const auto model = file.load();
  const auto before = logits_of(*model, prompt.tokens, 7, device);
  const LoadReport report = model->load_weights(other.checkpoint());
  EXPECT_TRUE(report.missing.empty() && report.unexpected.empty());
  const auto after = logits_of(*model, prompt.tokens, 7, device);
  EXPECT_NE(before, after);
  EXPECT_LE(largest_error(after, prompt.logits), 3e-4);
}

TEST(Generate, StopsAtAnEosToken) {
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  const TinyPrompt prompt = tiny_prompts("llama_affine4_g64_bf16")[1];
  const GenerateOptions options{.max_tokens = 24, .stop_tokens = {prompt.greedy[3]}};
  const Generation run = generate(*model, prompt.tokens, options, {}, test_devices().front());
  EXPECT_EQ(run.finish, Finish::eos);
  EXPECT_EQ(run.tokens.back(), prompt.greedy[3]);
  EXPECT_LE(run.tokens.size(), 4U);
}

TEST(Generate, StopsWhenTheCallbackSaysSo) {
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  const TinyPrompt prompt = tiny_prompts("llama_affine4_g64_bf16")[2];
  std::vector<std::int32_t> seen;
  const GenerateCallbacks callbacks{.on_token = [&](std::int32_t token) {
    seen.push_back(token);
    return seen.size() < 3;
  }};
  const Generation run =
      generate(*model, prompt.tokens, {.ignore_eos = true}, callbacks, test_devices().front());
  EXPECT_EQ(run.finish, Finish::stop);
  EXPECT_EQ(run.tokens, seen);
  EXPECT_EQ(seen.size(), 3U);
  const GenerateCallbacks never{.go_on = [] { return false; }};
  const Generation none =
      generate(*model, prompt.tokens, {.prefill_chunk = 4}, never, test_devices().front());
  EXPECT_EQ(none.finish, Finish::stop);
  EXPECT_TRUE(none.tokens.empty());
}

TEST(Generate, EndsWithTheContext) {
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  const std::vector<std::int32_t> prompt(510, 7);
  const Generation run =
      generate(*model, prompt, {.max_tokens = 100, .ignore_eos = true}, {}, test_devices().front());
  EXPECT_EQ(run.finish, Finish::length);
  EXPECT_EQ(run.tokens.size(), 3U);  // 510 + 2 positions are computed, the third token is not
}

TEST(Generate, RefusesPromptsThatAreEmptyOrLongerThanTheContext) {
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  EXPECT_THROW(generate(*model, std::vector<std::int32_t>(513, 1), {}), ArgumentError);
  EXPECT_THROW(generate(*model, std::vector<std::int32_t>{}, {}), ArgumentError);
}

TEST(Generate, SamplesTheSameTokensForTheSameSeed) {
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  const std::vector<std::int32_t> prompt = {3, 1, 4};
  std::vector<std::vector<std::int32_t>> runs;
  for (const Device& device : test_devices()) {
    for (const std::uint64_t seed : {7U, 7U, 8U}) {
      const GenerateOptions options{
          .max_tokens = 16, .ignore_eos = true, .sampling = {.temperature = 1.5f, .seed = seed}};
      runs.push_back(generate(*model, prompt, options, {}, device).tokens);
    }
  }
  for (std::size_t i = 0; i < runs.size(); i += 3) {
    EXPECT_EQ(runs[i], runs[0]);
    EXPECT_EQ(runs[i + 1], runs[0]);
    EXPECT_NE(runs[i + 2], runs[0]);
  }
}

}  // namespace
}  // namespace clmx
