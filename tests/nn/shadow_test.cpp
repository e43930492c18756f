#include <gtest/gtest.h>

#include <cmath>

#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"
#include "clmx/nn/model_file.hpp"
#include "clmx/nn/quantize_checkpoint.hpp"
#include "compare_model.hpp"
#include "requantized.hpp"
#include "shadow_tap.hpp"
#include "support/temp_folder.hpp"
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

// Sums that are equal in f16 and differ in float64.
TEST(ShadowRun, NotesWhereFloat64WouldChooseOtherExperts) {
  const Device device = test_devices().front();
  const auto halves = [](const std::vector<double>& values) {
    return array_of(values, DType::f16, {2, 3});
  };
  ShadowTap tap;
  Array top, rest;
  {
    const TapScope scope(tap);
    const Array x = multiply(halves({1, 1, 1, 1, 2, 1}), halves({1, 1, 1, 1, 1, 1}), device);
    const Array router = add(x, halves({0, 0x1p-12, 0, 0, 0x1p-4, 0}), device);
    top = topk(router, 1, device).values;
    argmax(router, device);
    rest = add(top, top, device);
  }
  EXPECT_EQ(tap.choices(), 4);
  ASSERT_EQ(tap.flips().size(), 2U);
  const ChoiceFlip &of_topk = tap.flips()[0], &of_argmax = tap.flips()[1];
  EXPECT_EQ(of_topk.op, "topk");  // of equals the last, argmax the first
  EXPECT_EQ(of_topk.row, 0);
  EXPECT_EQ(of_topk.got, std::vector<std::int64_t>{2});
  EXPECT_EQ(of_topk.wanted, std::vector<std::int64_t>{1});
  EXPECT_EQ(of_topk.margin, 0x1p-12);
  EXPECT_EQ(of_argmax.op, "argmax");
  EXPECT_EQ(of_argmax.got, std::vector<std::int64_t>{0});
  // The float64 run goes on with what the device chose.
  EXPECT_EQ(tap.shadow_of(top).values, (std::vector<double>{1, 2.0625}));
  EXPECT_EQ(tap.shadow_of(rest).values, (std::vector<double>{2, 4.125}));
}

TEST(CompareModel, CountsPositionsAndNamesParts) {
  const auto model = load_model(tiny_folder(tiny_names().front()));
  const std::vector<std::int32_t> tokens = tiny_prompts(tiny_names().front()).front().tokens;
  std::size_t done = 0;
  CompareModelRun run;
  run.progress = [&](std::size_t count) { done = count; };
  const ComparedModel result = compare_model(*model, {tokens, tokens}, test_devices().front(), run);
  EXPECT_EQ(done, 2U);
  EXPECT_EQ(result.logits.positions.size(), 2 * tokens.size());
  EXPECT_EQ(result.logits.predicted, 2 * (tokens.size() - 1));
  EXPECT_EQ(result.parts.front().path, "model.embed_tokens");
  EXPECT_EQ(result.parts.back().path, "lm_head");
  EXPECT_FALSE(result.first_wrong);
  EXPECT_LT(result.logits.kl_max(), 1e-8);
  EXPECT_LT(std::abs(result.logits.perplexity_change()), 1e-4);
  for (const ComparedPart& part : result.parts) {
    EXPECT_FALSE(part.worst_op.empty()) << part.path;
    EXPECT_FALSE(part.kernels.empty()) << part.path;
  }
  EXPECT_THROW((void)compare_model(*model, {{}}, test_devices().front()), ArgumentError);
}

TEST(CompareModel, GivesTheSameStepsForTheSamePromptAndOthersForOthers) {
  const auto model = load_model(tiny_folder(tiny_names().front()));
  std::vector<std::int32_t> tokens = tiny_prompts(tiny_names().front()).front().tokens;
  const Device device = test_devices().front();
  const auto digests = [&] {
    std::vector<std::string> all;
    for (const ModelStep& step : compare_model(*model, {tokens}, device).steps)
      all.push_back(step.op + ' ' + step.name + ' ' + step.digest);
    return all;
  };
  const std::vector<std::string> first = digests(), again = digests();
  EXPECT_EQ(first, again);
  EXPECT_GT(first.size(), tokens.size() + 10);  // the ops of two layers, then each position
  tokens.back() = (tokens.back() + 1) % 300;
  EXPECT_NE(digests(), first);
}

LogitsComparison compared(const std::vector<double>& got, const std::vector<double>& wanted) {
  LogitsComparison logits;
  logits.add({0, 1}, 0, {{2, 3}, DType::f32, got}, {{2, 3}, DType::f32, wanted});
  return logits;
}

TEST(LogitsComparison, MeasuresDistributions) {
  const std::vector<double> even{0, 0, 0, 0, 0, 0};
  EXPECT_EQ(compared(even, even).kl_max(), 0);
  EXPECT_EQ(compared(even, even).first_difference(), nullptr);
  // Probabilities 1/2, 1/4, 1/4 against thirds.
  const LogitsComparison other = compared({std::log(2.0), 0, 0, 0, std::log(2.0), 0}, even);
  EXPECT_NEAR(other.kl_max(), std::log(32.0 / 27) / 3, 1e-15);
  EXPECT_NEAR(other.kl_mean(), other.kl_max(), 1e-15);
  EXPECT_EQ(other.same_top1(), 1U);  // of equals the first
  ASSERT_NE(other.first_difference(), nullptr);
  EXPECT_EQ(other.first_difference()->position, 1U);
  EXPECT_EQ(other.first_difference()->got, 1);
  EXPECT_NEAR(other.perplexity_change(), 4.0 / 3 - 1, 1e-15);
  EXPECT_EQ(other.worst.error, std::log(2.0));
  EXPECT_EQ(other.worst.token, 0);
}

TEST(LogitsComparison, TakesNoNumberForAgreement) {
  const double nan = std::nan("");
  const LogitsComparison logits = compared({nan, 0, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0});
  EXPECT_TRUE(std::isinf(logits.kl_max()));
  EXPECT_TRUE(std::isinf(logits.worst.error));
  LogitsComparison other;
  const DoubleArray two{{2, 1}, DType::f32, {0, 0}}, three{{3, 1}, DType::f32, {0, 0, 0}};
  EXPECT_THROW(other.add({0, 0}, 0, two, three), ArgumentError);
  EXPECT_THROW(other.add({0, 0}, 0, three, three), ArgumentError);
}

TEST(Requantized, PutsEveryLayerIntoTheMode) {
  for (const char* name : {"llama_affine4_g64_bf16", "llama_unquantized_f16_tied"}) {
    const auto model = load_model(tiny_folder(name));
    const std::vector<std::int32_t> tokens = tiny_prompts(name).front().tokens;
    const Device device = test_devices().front();
    const DoubleArray own = logits_on(*model, tokens, device);
    std::uint64_t bytes = 0;
    double error = INFINITY;
    for (const NamedMode& mode : parse_modes("affine2g32,affine4g32,affine8g32")) {
      const RequantizedModel made = requantized(*model, mode.params, device);
      EXPECT_GT(made.layers, 10U);
      EXPECT_TRUE(made.kept.empty());
      LogitsComparison logits;
      logits.add(tokens, 0, logits_on(*made.model, tokens, device), own);
      EXPECT_LT(logits.kl_mean(), error) << name << ' ' << mode.name;
      EXPECT_GT(parameter_bytes(*made.model), bytes);
      error = logits.kl_mean();
      bytes = parameter_bytes(*made.model);
    }
    EXPECT_LT(error, 1e-2) << name;
    EXPECT_EQ(logits_on(*model, tokens, device).values, own.values);  // the source is as it was
  }
}

TEST(Requantized, GivesTheBitsOfAQuantizedCheckpoint) {
  const std::string name = "llama_unquantized_f16_tied";
  const std::vector<std::int32_t> tokens = tiny_prompts(name).front().tokens;
  const Device device = test_devices().front();
  const auto source = load_model(tiny_folder(name));
  for (const NamedMode& mode : parse_modes("affine4,mxfp4")) {
    const TempFolder folder;
    quantize_checkpoint(tiny_folder(name), folder / "q", {.params = mode.params}, device);
    const auto stored = load_model(folder / "q");
    const RequantizedModel made = requantized(*source, mode.params, device);
    EXPECT_EQ(logits_on(*made.model, tokens, device).values,
              logits_on(*stored, tokens, device).values)
        << mode.name;
    EXPECT_EQ(parameter_bytes(*made.model), parameter_bytes(*stored));
  }
}

TEST(Requantized, RefusesWhatIsNoMode) {
  EXPECT_EQ(parse_modes("affine4,nvfp4").size(), 2U);
  EXPECT_EQ(parse_modes("affine4g32").front().params.group(), 32);
  for (const char* text : {"", "affine", "affine4,", "affine4g", "affinex", "affine4x", "mxfp4g32",
                           "q4_0", "affine9", "affine4g48", "affine4,affine4", "Affine4"})
    EXPECT_THROW(parse_modes(text), ArgumentError) << text;
}

}  // namespace
}  // namespace clmx
