#include "clmx/nn/sampler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

using testing::ElementsAre;
using testing::Key;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::map<std::int32_t, int> counts(const SamplingOptions& options, const std::vector<float>& logits,
                                   int draws = 20000) {
  Sampler sampler(options);
  std::map<std::int32_t, int> seen;
  for (int i = 0; i < draws; ++i) ++seen[sampler.next(logits)];
  return seen;
}

TEST(Sampler, IsGreedyWithTheFirstOfEqualMaxima) {
  Sampler sampler({});
  EXPECT_EQ(sampler.next(std::vector<float>{1, 3, 2, 3}), 1);
  EXPECT_EQ(sampler.next(std::vector<float>{-infinity, nan, -5}), 2);
  EXPECT_EQ(sampler.next(std::vector<float>{0, infinity, infinity}), 1);
}

TEST(Sampler, RefusesLogitsOfWhichNoneCanBeChosen) {
  Sampler sampler({.temperature = 1});
  EXPECT_THROW(sampler.next({}), ArgumentError);
  EXPECT_THROW(sampler.next(std::vector<float>{nan, -infinity}), ArgumentError);
}

TEST(Sampler, GivesTheSameTokensForTheSameSeedOnEveryPlatform) {
  std::vector<float> logits;
  for (int i = 0; i < 100; ++i) logits.push_back(static_cast<float>(i * 37 % 100) * 0.05f);
  const auto draw = [&](std::uint64_t seed) {
    Sampler sampler({.temperature = 0.8f, .top_p = 0.95f, .seed = seed});
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 8; ++i) ids.push_back(sampler.next(logits));
    return ids;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
  // Computed once by another program with the same definitions.
  EXPECT_THAT(draw(7), ElementsAre(16, 27, 37, 51, 43, 35, 70, 62));
}

TEST(Sampler, DrawsInProportionToTheExponentials) {
  const auto seen = counts({.temperature = 1}, {0, std::log(2.0f), std::log(5.0f)});
  EXPECT_NEAR(seen.at(0), 2500, 200);
  EXPECT_NEAR(seen.at(1), 5000, 250);
  EXPECT_NEAR(seen.at(2), 12500, 250);
}

TEST(Sampler, FlattensWithTemperature) {
  const auto seen = counts({.temperature = 2}, {0, 2 * std::log(3.0f)});
  EXPECT_NEAR(seen.at(0), 5000, 250);
}

TEST(Sampler, KeepsTheKMostLikely) {
  const std::vector<float> logits{1, 5, 4, 5, 2};
  EXPECT_THAT(counts({.temperature = 9, .top_k = 2}, logits), ElementsAre(Key(1), Key(3)));
  EXPECT_THAT(counts({.temperature = 9, .top_k = 1}, logits), ElementsAre(Key(1)));
  EXPECT_EQ(counts({.temperature = 9, .top_k = 50}, logits).size(), 5);
}

TEST(Sampler, KeepsTheFewestThatReachTopP) {
  const std::vector<float> tenths{std::log(1.0f), std::log(5.0f), std::log(3.0f), std::log(1.0f)};
  EXPECT_THAT(counts({.temperature = 1, .top_p = 0.45f}, tenths), ElementsAre(Key(1)));
  EXPECT_THAT(counts({.temperature = 1, .top_p = 0.7f}, tenths), ElementsAre(Key(1), Key(2)));
  EXPECT_THAT(counts({.temperature = 1, .top_p = 0.85f}, tenths),
              ElementsAre(Key(0), Key(1), Key(2)));
  EXPECT_THAT(counts({.temperature = 1, .top_k = 2, .top_p = 0.6f}, tenths), ElementsAre(Key(1)));
}

TEST(Sampler, KeepsThoseNearTheHighestWithMinP) {
  const std::vector<float> logits{std::log(1.0f), std::log(5.0f), std::log(3.0f)};
  EXPECT_THAT(counts({.temperature = 1, .min_p = 0.5f}, logits), ElementsAre(Key(1), Key(2)));
  EXPECT_THAT(counts({.temperature = 1, .min_p = 1}, logits), ElementsAre(Key(1)));
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  EXPECT_THROW(Sampler({.temperature = -1}), ArgumentError);
  EXPECT_THROW(Sampler({.temperature = infinity}), ArgumentError);
  EXPECT_THROW(Sampler({.temperature = nan}), ArgumentError);
  EXPECT_THROW(Sampler({.top_k = -1}), ArgumentError);
  EXPECT_THROW(Sampler({.top_p = 0}), ArgumentError);
  EXPECT_THROW(Sampler({.top_p = 1.5f}), ArgumentError);
  EXPECT_THROW(Sampler({.top_p = nan}), ArgumentError);
  EXPECT_THROW(Sampler({.min_p = -0.1f}), ArgumentError);
  EXPECT_THROW(Sampler({.min_p = 1.1f}), ArgumentError);
}

}  // namespace
}  // namespace clmx
