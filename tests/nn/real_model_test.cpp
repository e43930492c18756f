#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "batch_support.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/cache_file.hpp"
#include "clmx/nn/generate.hpp"
#include "clmx/nn/model_file.hpp"
#include "support/real_model.hpp"
#include "support/temp_folder.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

struct Prompt {
  std::string name;
  std::vector<std::int32_t> tokens, greedy;
  std::vector<double> margins;
  std::vector<float> logits;  ///< of the last position
};

std::vector<Prompt> read_prompts() {
  const std::filesystem::path folder = std::filesystem::path(CLMX_TEST_DATA) / "smollm2";
  std::ifstream stream(folder / "golden.json");
  const auto json = nlohmann::json::parse(stream);
  const SafetensorsFile file(folder / "golden.safetensors");
  std::vector<Prompt> prompts;
  for (const auto& entry : json.at("prompts")) {
    const auto name = entry.at("name").get<std::string>();
    prompts.push_back({name, entry.at("tokens").get<std::vector<std::int32_t>>(),
                       entry.at("greedy64").get<std::vector<std::int32_t>>(),
                       entry.at("greedy64_margin").get<std::vector<double>>(),
                       file.array(name + ".logits_f64ref").to_vector<float>()});
  }
  return prompts;
}

/// Emulated devices would need minutes for a model of this size.
std::vector<Device> real_devices() {
  std::vector<Device> devices = test_devices();
  std::erase_if(devices, [](const Device& device) {
    return device.info().device_class == DeviceClass::emulated;
  });
  return devices;
}

class RealModel : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (const auto path = real_model()) model = load_model(*path).release();
  }
  static void TearDownTestSuite() {
    delete model;
    model = nullptr;
  }
  void SetUp() override {
    if (model == nullptr) GTEST_SKIP() << "the model is not there: set CLMX_MODEL or run ./demo";
    if (real_devices().empty()) GTEST_SKIP() << "only emulated devices";
  }
  static LanguageModel* model;
};
LanguageModel* RealModel::model = nullptr;

TEST_F(RealModel, LogitsAreWithinOneThousandthAndTheSameBitsOnEveryDevice) {
  for (const Prompt& prompt : read_prompts()) {
    std::optional<std::vector<float>> first;
    for (const Device& device : real_devices()) {
      ModelCache cache = model->new_cache();
      const auto logits = prefill(*model, prompt.tokens, cache, 64, {}, device).to_vector<float>();
      ASSERT_EQ(logits.size(), prompt.logits.size());
      double worst = 0;
      for (std::size_t i = 0; i < logits.size(); ++i) {
        const double error =
            std::abs(static_cast<double>(logits[i]) - static_cast<double>(prompt.logits[i]));
        if (!(error <= worst)) worst = error;
      }
      EXPECT_LE(worst, 1e-3) << prompt.name << " on " << device.info().selector;
      if (!first) first = logits;
      EXPECT_TRUE(logits == *first) << prompt.name << " on " << device.info().selector;
    }
  }
}

TEST_F(RealModel, GreedyTokensAreThoseOfTheReference) {
  constexpr double clear_margin = 2e-3;  // twice what a logit may be off
  for (const Prompt& prompt : read_prompts()) {
    std::optional<std::vector<std::int32_t>> first;
    for (const Device& device : real_devices()) {
      const Generation run =
          generate(*model, prompt.tokens, {.max_tokens = 64, .ignore_eos = true}, {}, device);
      if (!first) first = run.tokens;
      EXPECT_EQ(run.tokens, *first) << prompt.name << " on " << device.info().selector;
      for (std::size_t i = 0; i < 64 && prompt.margins[i] >= clear_margin; ++i) {
        ASSERT_EQ(run.tokens[i], prompt.greedy[i])
            << prompt.name << ", token " << i << " on " << device.info().selector;
      }
    }
  }
}

TEST_F(RealModel, PrefillAndDecodeGiveTheSameBits) {
  const Prompt prompt = read_prompts().front();
  for (const Device& device : real_devices()) {
    ModelCache together = model->new_cache(), apart = model->new_cache();
    const auto whole = prefill(*model, prompt.tokens, together, 512, {}, device);
    const auto single = prefill(*model, prompt.tokens, apart, 1, {}, device);
    EXPECT_EQ(whole.to_vector<float>(), single.to_vector<float>()) << device.info().selector;
  }
}

/// The first 24 tokens of four prompts.
TokenRows prompt_rows() {
  TokenRows rows;
  for (const Prompt& prompt : read_prompts()) {
    if (rows.size() == 4) break;
    if (prompt.tokens.size() < 24) continue;
    rows.emplace_back(prompt.tokens.begin(), prompt.tokens.begin() + 24);
  }
  return rows;
}

TEST_F(RealModel, RowsOfABatchHaveTheBitsOfTheRowAloneAtEveryPosition) {
  const TokenRows rows = prompt_rows();
  ASSERT_EQ(rows.size(), 4U);
  const auto wanted = single_bits(*model, rows, real_devices().front());
  for (const Device& device : real_devices()) {
    for (const std::size_t chunk : {rows[0].size(), std::size_t{7}, std::size_t{1}}) {
      ModelCache cache = model->new_cache();
      EXPECT_TRUE(batch_bits(*model, cache, rows, chunk, device) == wanted)
          << device.info().selector << " in chunks of " << chunk;
    }
  }
}

TEST_F(RealModel, ASavedCacheContinuesWithTheSameBitsOnEveryDevice) {
  const TempFolder folder;
  const Prompt prompt = read_prompts().at(3);  // 60 tokens
  for (const Device& from : real_devices()) {
    ModelCache cache = model->new_cache();
    prefill(*model, prompt.tokens, cache, 64, {}, from);
    save_cache(folder / "cache", cache);
    const auto next = std::span(prompt.greedy).first(16);
    const auto wanted = model->forward(next, cache, LogitRows::all, from).to_vector<float>();
    for (const Device& to : real_devices()) {
      ModelCache loaded = load_cache(folder / "cache", *model);
      EXPECT_EQ(model->forward(next, loaded, LogitRows::all, to).to_vector<float>(), wanted)
          << from.info().selector << " to " << to.info().selector;
    }
  }
}

class RealModelFull : public RealModel {};

/// Real devices, and of each that can be divided one compute unit.
std::vector<Device> divided_devices() {
  std::vector<Device> devices = real_devices();
  for (const Device& device : real_devices()) {
    try {
      devices.push_back(Device::select(device.info().selector + "/1"));
    } catch (const DeviceNotFound&) {  // it cannot be divided
    }
  }
  return devices;
}

/// Logits of every position, the prompt given in chunks.
std::vector<float> logits_in_chunks(LanguageModel& model, std::span<const std::int32_t> tokens,
                                    std::size_t chunk, const Device& device) {
  ModelCache cache = model.new_cache(static_cast<std::int64_t>(tokens.size()));
  std::vector<float> all;
  for (; !tokens.empty(); tokens = tokens.subspan(std::min(chunk, tokens.size()))) {
    const auto part = tokens.first(std::min(chunk, tokens.size()));
    const auto logits = model.forward(part, cache, LogitRows::all, device).to_vector<float>();
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

TEST_F(RealModelFull, LogitsOfEveryPositionDoNotDependOnChunksDevicesOrComputeUnits) {
  const std::vector<Device> devices = divided_devices();
  for (const Prompt& prompt : read_prompts()) {
    const auto wanted = logits_in_chunks(*model, prompt.tokens, 512, devices.front());
    for (const Device& device : devices) {
      for (const std::size_t chunk : {1U, 7U, 64U, 512U}) {
        EXPECT_TRUE(logits_in_chunks(*model, prompt.tokens, chunk, device) == wanted)
            << prompt.name << " on " << device.info().selector << " in chunks of " << chunk;
      }
    }
  }
}

TEST_F(RealModelFull, GreedyTokensDoNotDependOnComputeUnits) {
  const GenerateOptions options{.max_tokens = 64, .ignore_eos = true};
  const std::vector<Device> devices = divided_devices();
  for (const Prompt& prompt : read_prompts()) {
    const auto wanted = generate(*model, prompt.tokens, options, {}, devices.front()).tokens;
    ASSERT_EQ(wanted.size(), 64U);
    for (const Device& device : devices)
      EXPECT_EQ(generate(*model, prompt.tokens, options, {}, device).tokens, wanted)
          << prompt.name << " on " << device.info().selector;
  }
}

TEST_F(RealModelFull, TwentyRepeatsGiveTheSameBits) {
  const Prompt prompt = read_prompts().front();
  for (const Device& device : divided_devices()) {
    const auto wanted = logits_in_chunks(*model, prompt.tokens, 64, device);
    for (int repeat = 0; repeat < 20; ++repeat)
      EXPECT_TRUE(logits_in_chunks(*model, prompt.tokens, 64, device) == wanted)
          << device.info().selector << " repeat " << repeat;
  }
}

}  // namespace
}  // namespace clmx
