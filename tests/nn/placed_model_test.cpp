#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/host/device_transfers.hpp"
#include "clmx/nn/generate.hpp"
#include "clmx/nn/model_file.hpp"
#include "support/real_model.hpp"
#include "support/test_devices.hpp"
#include "tiny_models.hpp"

namespace clmx {
namespace {

/// The placements that the tests try: by turns, split in two, and by parts of a layer, with shares
/// of rows. The devices may be the same one.
std::vector<Placement> placements(const std::vector<Device>& devices, std::int64_t layers) {
  const auto device = [&](std::size_t i) { return devices[i % devices.size()]; };
  std::vector<Placement> made(3);
  for (std::int64_t i = 0; i < layers; ++i) {
    made[0].add(join("model.layers.", i), device(static_cast<std::size_t>(i) + 1));
    made[1].add(join("model.layers.", i), device(2 * i < layers ? 0 : 1));
  }
  made[0].add("lm_head", device(2));
  made[1].add("model.embed_tokens", device(2));
  made[2].add("model.layers.*.mlp", {{device(1)}, {device(0), 2}});
  made[2].add("model.layers.*.self_attn", device(2));
  made[2].add("lm_head", {{device(0)}, {device(1)}, {device(2)}});
  return made;
}

std::vector<float> logits_of(LanguageModel& model, std::span<const std::int32_t> tokens,
                             std::size_t chunk, const Device& device) {
  ModelCache cache = model.new_cache(static_cast<std::int64_t>(tokens.size()));
  std::vector<float> values;
  for (; !tokens.empty(); tokens = tokens.subspan(std::min(chunk, tokens.size()))) {
    const auto part = tokens.first(std::min(chunk, tokens.size()));
    const auto read = model.forward(part, cache, LogitRows::all, device).to_vector<float>();
    values.insert(values.end(), read.begin(), read.end());
  }
  return values;
}

class PlacedTinyModel : public testing::TestWithParam<std::string> {};

TEST_P(PlacedTinyModel, GivesTheBitsOfOneDevice) {
  const std::vector<Device> devices = test_devices();
  const auto model = load_model(tiny_folder(GetParam()));
  const TinyPrompt prompt = tiny_prompts(GetParam())[1];
  const auto wanted = logits_of(*model, prompt.tokens, 64, devices.front());
  for (const Placement& placement : placements(devices, 2)) {
    model->place(placement);
    for (const std::size_t chunk : {std::size_t{64}, std::size_t{3}, std::size_t{1}}) {
      EXPECT_TRUE(logits_of(*model, prompt.tokens, chunk, devices.front()) == wanted)
          << placement.entries().front().pattern << ", chunks of " << chunk;
    }
  }
}

TEST_P(PlacedTinyModel, GeneratesTheTokensOfOneDevice) {
  const std::vector<Device> devices = test_devices();
  const auto model = load_model(tiny_folder(GetParam()));
  const TinyPrompt prompt = tiny_prompts(GetParam())[2];
  const GenerateOptions options{.max_tokens = 8, .ignore_eos = true, .prefill_chunk = 16};
  for (const Placement& placement : placements(devices, 2)) {
    model->place(placement);
    const Generation run = generate(*model, prompt.tokens, options, {}, devices.front());
    EXPECT_EQ(run.tokens, std::vector(prompt.greedy.begin(), prompt.greedy.begin() + 8));
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, PlacedTinyModel, testing::ValuesIn(tiny_names()),
                         [](const auto& test) { return test.param; });

TEST(PlacedModel, RefusesAPatternThatNamesNoPart) {
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  const Device device = test_devices().front();
  for (const char* pattern : {"model.layers.2", "lm_heat", "model.layers.0.mlp.down_proj", "*"}) {
    Placement placement;
    placement.add(pattern, device);
    if (std::string_view(pattern) == "*") {
      EXPECT_NO_THROW(model->place(placement));
    } else {
      EXPECT_THROW(model->place(placement), ArgumentError) << pattern;
    }
  }
}

TEST(PlacedModel, WeightsTravelOnce) {
  const std::vector<Device> devices = test_devices();
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  model->place(placements(devices, 2)[2]);
  ModelCache cache = model->new_cache(8);
  const std::vector<std::int32_t> token = {5};
  const auto uploaded_by_a_step = [&] {
    const TransferStats before = transfer_stats();
    model->forward(token, cache, LogitRows::last, devices.front()).wait();
    return transfer_stats().uploaded_bytes - before.uploaded_bytes;
  };
  const std::size_t first = uploaded_by_a_step();
  for (int step = 0; step < 4; ++step)
    EXPECT_LT(uploaded_by_a_step(), 32768U) << "first: " << first;
}

TEST(PlacedModel, OnlyTheDevicesOfALayerHoldItsWeights) {
  const std::vector<Device> devices = test_devices();
  if (devices.size() < 2) GTEST_SKIP() << "needs two devices";
  const auto model = load_model(tiny_folder("llama_affine4_g64_bf16"));
  Placement all_there;
  all_there.add("*", devices[1]);
  all_there.add("*.*", devices[1]);
  model->place(all_there);
  const std::size_t before = devices[0].memory().active_bytes;
  ModelCache cache = model->new_cache(8);
  model->forward(std::vector<std::int32_t>{5}, cache, LogitRows::last, devices[0]).wait();
  EXPECT_EQ(devices[0].memory().active_bytes, before);
}

std::vector<std::int32_t> real_prompt() {
  return {504, 3575, 282, 4649, 314, 216, 253, 1165, 338, 3114, 260, 1620};
}

void expect_same_bits(LanguageModel& model, const std::vector<Device>& devices) {
  const GenerateOptions options{.max_tokens = 6, .ignore_eos = true};
  model.place({});
  const auto tokens = real_prompt();
  const auto wanted = logits_of(model, tokens, 64, devices.front());
  const auto said = generate(model, tokens, options, {}, devices.front()).tokens;
  for (const Placement& placement : placements(devices, 30)) {
    model.place(placement);
    for (const std::size_t chunk : {std::size_t{64}, std::size_t{5}}) {
      EXPECT_TRUE(logits_of(model, tokens, chunk, devices.front()) == wanted) << chunk;
    }
    EXPECT_EQ(generate(model, tokens, options, {}, devices.front()).tokens, said);
  }
}

/// The real model over all devices but emulated ones, or over all.
void place_real_model(bool emulated) {
  const auto path = real_model();
  if (!path) GTEST_SKIP() << "the model is not there: set CLMX_MODEL or run ./demo";
  std::vector<Device> devices = test_devices();
  if (!emulated) {
    std::erase_if(devices, [](const Device& device) {
      return device.info().device_class == DeviceClass::emulated;
    });
  }
  if (devices.empty()) GTEST_SKIP() << "only emulated devices";
  expect_same_bits(*load_model(*path), devices);
}

TEST(PlacedRealModel, GivesTheBitsOfOneDevice) {
  place_real_model(false);
}

TEST(PlacedRealModelFull, GivesTheBitsOfOneDeviceOnEveryDevice) {
  place_real_model(true);
}

}  // namespace
}  // namespace clmx
