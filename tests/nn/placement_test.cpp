#include "clmx/nn/placement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/nn/auto_placement.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// The message of the ArgumentError that the text causes; empty when there is none.
std::string refusal(std::string_view text, std::int64_t layers = 30) {
  try {
    (void)parse_placement(text, layers);
  } catch (const ArgumentError& error) {
    return error.what();
  }
  return {};
}

TEST(ParsePlacement, TakesLayersRangesNamesAndPatterns) {
  const auto entries = parse_placement(
      "0-2=pocl,7=intel:1/2,embed=0.1,head=pocl+id=8f3c,model.layers.*.mlp=name~Arc", 8);
  ASSERT_EQ(entries.size(), 5U);
  EXPECT_THAT(entries[0].patterns,
              ElementsAre("model.layers.0", "model.layers.1", "model.layers.2"));
  EXPECT_THAT(entries[0].selectors, ElementsAre("pocl"));
  EXPECT_THAT(entries[1].patterns, ElementsAre("model.layers.7"));
  EXPECT_THAT(entries[1].selectors, ElementsAre("intel:1/2"));
  EXPECT_THAT(entries[2].patterns, ElementsAre("model.embed_tokens"));
  EXPECT_THAT(entries[3].patterns, ElementsAre("model.norm", "lm_head"));
  EXPECT_THAT(entries[3].selectors, ElementsAre("pocl", "id=8f3c"));
  EXPECT_THAT(entries[4].patterns, ElementsAre("model.layers.*.mlp"));
  EXPECT_THAT(entries[4].selectors, ElementsAre("name~Arc"));
}

TEST(ParsePlacement, SaysWhatWasWanted) {
  for (const char* text : {"", "pocl", "=pocl", "0-14=", "0-14=pocl,", ",0=pocl", "0=pocl,,1=intel",
                           "0=pocl+", "0=+pocl", "0=pocl++intel"}) {
    EXPECT_NE(refusal(text), "") << text;
  }
}

TEST(ParsePlacement, RefusesLayersThatAreNotThere) {
  EXPECT_THAT(refusal("0-30=pocl"), HasSubstr("layers 0 to 29"));
  EXPECT_THAT(refusal("30=pocl"), HasSubstr("layers 0 to 29"));
  EXPECT_THAT(refusal("5-3=pocl"), HasSubstr("after the last"));
  for (const char* text : {"-1=pocl", "1-=pocl", "1-2-3=pocl", "0x1=pocl", "tail=pocl", " 1=pocl",
                           "99999999999999999999=pocl"}) {
    EXPECT_THAT(refusal(text), HasSubstr("model.layers.*.mlp")) << text;
  }
  EXPECT_EQ(refusal("0-29=pocl"), "");
}

TEST(NamesModule, MatchesComponentsAndEverythingBelow) {
  EXPECT_TRUE(names_module("model.layers.3", "model.layers.3"));
  EXPECT_TRUE(names_module("model.layers.3", "model.layers.3.self_attn"));
  EXPECT_FALSE(names_module("model.layers.3", "model.layers.30"));
  EXPECT_FALSE(names_module("model.layers.3.mlp", "model.layers.3"));
  EXPECT_TRUE(names_module("model.layers.*.mlp", "model.layers.12.mlp"));
  EXPECT_FALSE(names_module("model.layers.*.mlp", "model.layers.12.self_attn"));
  EXPECT_FALSE(names_module("model.*.mlp", "model.layers.12.mlp"));
  EXPECT_TRUE(names_module("model.layers.1*.*attn", "model.layers.17.self_attn"));
  EXPECT_FALSE(names_module("", "lm_head"));
}

TEST(Placement, TheLastEntryThatNamesAPartCounts) {
  const Device device = test_devices().front();
  Placement placement;
  placement.add("model.layers.*", device);
  placement.add("model.layers.1.mlp", device);
  ASSERT_NE(placement.find("model.layers.1.mlp"), nullptr);
  EXPECT_EQ(placement.find("model.layers.1.mlp")->pattern, "model.layers.1.mlp");
  EXPECT_EQ(placement.find("model.layers.1.self_attn")->pattern, "model.layers.*");
  EXPECT_EQ(placement.find("lm_head"), nullptr);
  EXPECT_THROW(placement.add("", device), ArgumentError);
  EXPECT_THROW(placement.add("lm_head", std::vector<RowShare>{}), ArgumentError);
  EXPECT_THROW(placement.add("lm_head", {{device, 0}}), ArgumentError);
}

TEST(Placement, AnUnknownDeviceIsNotFound) {
  EXPECT_THROW(select_devices(parse_placement("0=nvidia:77", 2)), DeviceNotFound);
}

constexpr std::size_t mega = 1'000'000;

/// `count` units of equal size.
std::vector<PlacementUnit> units(int count, std::size_t bytes, std::size_t largest = 1) {
  std::vector<PlacementUnit> made;
  for (int i = 0; i < count; ++i) made.push_back({{join("model.layers.", i)}, bytes, largest});
  return made;
}

PlacementDevice device(const Stream& stream, double speed, std::size_t usable,
                       std::size_t max_allocation = 0) {
  std::size_t memory = usable;
  while (memory - reserve_bytes(memory) < usable) memory += mega;
  return {stream, "made up", speed, memory, max_allocation};
}

/// Two streams stand for two devices.
class PlaceBySpeed : public testing::Test {
 protected:
  Stream slow = test_devices().front().new_stream(), fast = test_devices().front().new_stream();
  static Stream at(const Placement& placement, int unit) {
    return placement.find(join("model.layers.", unit))->where.front().where.resolve();
  }
};

TEST_F(PlaceBySpeed, OneDeviceThatHoldsAllIsTheFastest) {
  const Placement placement = place_by_speed(
      units(4, 100 * mega), {device(slow, 1e9, 900 * mega), device(fast, 2e9, 401 * mega)});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(at(placement, i), fast) << i;
}

TEST_F(PlaceBySpeed, WhatTheFastestCannotHoldFollowsOnTheNext) {
  const Placement placement = place_by_speed(
      units(4, 100 * mega), {device(slow, 1e9, 900 * mega), device(fast, 2e9, 250 * mega)});
  EXPECT_EQ(at(placement, 0), fast);
  EXPECT_EQ(at(placement, 1), fast);
  EXPECT_EQ(at(placement, 2), slow);
  EXPECT_EQ(at(placement, 3), slow);
}

TEST_F(PlaceBySpeed, AUnitTooLargeForOneAllocationAloneMoves) {
  auto pieces = units(3, 100 * mega, 10 * mega);
  pieces.front().largest_bytes = 60 * mega;
  const Placement placement = place_by_speed(
      pieces, {device(slow, 1e9, 900 * mega), device(fast, 2e9, 900 * mega, 50 * mega)});
  EXPECT_EQ(at(placement, 0), slow);
  EXPECT_EQ(at(placement, 1), fast);
  EXPECT_EQ(at(placement, 2), fast);
}

TEST_F(PlaceBySpeed, TooLittleMemoryIsAnErrorWithTheNumbers) {
  try {
    (void)place_by_speed(units(4, 100 * mega), {device(slow, 1e9, 150 * mega)});
    FAIL() << "it fits";
  } catch (const OutOfMemory& error) {
    EXPECT_THAT(error.what(), HasSubstr("400000000"));
    EXPECT_THAT(error.what(), HasSubstr("model.layers.1"));
  }
  EXPECT_THROW((void)place_by_speed(units(1, 1), {}), ArgumentError);
  EXPECT_THROW((void)place_by_speed(units(1, 1), {PlacementDevice{slow, "none", 1, 0, 0}}),
               OutOfMemory);
}

}  // namespace
}  // namespace clmx
