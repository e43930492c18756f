#include <gtest/gtest.h>

#include <cmath>

#include "clmx/devices/error.hpp"
#include "clmx/nn/model_file.hpp"
#include "compare_model.hpp"
#include "shadow_tap.hpp"
#include "support/test_devices.hpp"
#include "tiny_models.hpp"

namespace clmx {
namespace {

class ShadowRun : public testing::TestWithParam<std::string> {};

// The reference is another implementation's float64 forward, stored as f32.
TEST_P(ShadowRun, GivesTheLogitsOfTheFloat64Forward) {
  const auto model = load_model(tiny_folder(GetParam()));
  for (const TinyPrompt& prompt : tiny_prompts(GetParam())) {
    ShadowTap tap;
    ModelCache cache = model->new_cache();
    const TapScope scope(tap);
    const Array logits =
        model->forward(prompt.tokens, cache, LogitRows::all, test_devices().front());
    const DoubleArray& shadow = tap.shadow_of(logits);
    ASSERT_EQ(shadow.values.size(), prompt.logits.size());
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < prompt.logits.size(); ++i) {
      const auto wanted = static_cast<double>(prompt.logits[i]);
      worst = std::max(worst, std::abs(shadow.values[i] - wanted));
      largest = std::max(largest, std::abs(wanted));
    }
    EXPECT_LE(worst, 1e-6 * largest) << prompt.name;
    for (const ShadowOp& op : tap.ops()) {
      EXPECT_LE(op.local.worst(), 1.0) << op.part << ' ' << op.op;
      EXPECT_LE(op.accumulated, 1e-4) << op.part << ' ' << op.op;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Tiny, ShadowRun, testing::ValuesIn(tiny_names()),
                         [](const auto& name) { return name.param; });

TEST(ShadowRun, ChunksAndSingleTokensGiveTheSameShadow) {
  const std::string name = tiny_names().front();
  const auto model = load_model(tiny_folder(name));
  const std::vector<std::int32_t> tokens = tiny_prompts(name).front().tokens;
  const auto last_shadow = [&](std::size_t chunk) {
    ShadowTap tap;
    ModelCache cache = model->new_cache();
    const TapScope scope(tap);
    Array logits;
    for (std::size_t at = 0; at < tokens.size(); at += chunk) {
      const auto part = std::span(tokens).subspan(at, std::min(chunk, tokens.size() - at));
      logits = model->forward(part, cache, LogitRows::last, test_devices().front());
    }
    return tap.shadow_of(logits).values;
  };
  const std::vector<double> whole = last_shadow(tokens.size()), one = last_shadow(1);
  ASSERT_EQ(whole.size(), one.size());
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(whole[i], one[i], 1e-9);
}

TEST(CompareModel, CountsPositionsAndNamesParts) {
  const auto model = load_model(tiny_folder(tiny_names().front()));
  const std::vector<std::int32_t> tokens = tiny_prompts(tiny_names().front()).front().tokens;
  std::size_t done = 0;
  const ComparedModel result = compare_model(*model, {tokens, tokens}, test_devices().front(),
                                             [&](std::size_t count) { done = count; });
  EXPECT_EQ(done, 2U);
  EXPECT_EQ(result.positions, 2 * tokens.size());
  EXPECT_EQ(result.predicted, 2 * (tokens.size() - 1));
  EXPECT_EQ(result.parts.front().path, "model.embed_tokens");
  EXPECT_EQ(result.parts.back().path, "lm_head");
  EXPECT_FALSE(result.first_wrong);
  EXPECT_LT(result.kl_max, 1e-8);
  EXPECT_LT(std::abs(result.perplexity_change()), 1e-4);
  EXPECT_THROW((void)compare_model(*model, {{}}, test_devices().front()), ArgumentError);
}

}  // namespace
}  // namespace clmx
