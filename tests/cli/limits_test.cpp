#include <gtest/gtest.h>

#include <optional>

#include "clmx/host/safetensors.hpp"
#include "program.hpp"
#include "support/real_model.hpp"
#include "support/test_devices.hpp"
#include "tiny_chat_model.hpp"

namespace clmx {
namespace {

using Environment = std::map<std::string, std::string>;

const std::vector<Environment> profiles{
    {{"CLMX_PRETEND", "mali"}}, {{"CLMX_PRETEND", "gcn"}}, {{"CLMX_PRETEND", "gen9"}}};

/// The selectors of the devices that are fast enough for a model.
std::vector<std::string> fast_devices() {
  std::vector<std::string> selectors;
  for (const Device& device : test_devices())
    if (device.info().device_class != DeviceClass::emulated)
      selectors.push_back(device.info().selector);
  return selectors;
}

/// Logits of the last position; nothing, and a failure, when the program fails.
std::vector<float> last_logits(const std::string& model, const std::string& device,
                               const std::string& tokens, const Environment& limits) {
  const TempFolder folder;
  const std::string output = (folder / "logits.safetensors").string();
  Program program;
  program.environment = limits;
  program.environment["CLMX_MODEL"] = model;
  program.environment["CLMX_DEVICE"] = device;
  const Ended ended = program.run({"logits", "--tokens", tokens, "--last", "--output", output});
  EXPECT_EQ(ended.status, 0) << ended.err;
  if (ended.status != 0) return {};
  return SafetensorsFile(output).array("logits").to_vector<float>();
}

void expect_the_same_logits(const std::string& model, const std::string& tokens,
                            const std::vector<Environment>& limits) {
  for (const std::string& device : fast_devices()) {
    const std::vector<float> wanted = last_logits(model, device, tokens, {});
    ASSERT_FALSE(wanted.empty());
    for (const Environment& limit : limits)
      EXPECT_TRUE(last_logits(model, device, tokens, limit) == wanted)
          << device << ' ' << limit.begin()->first << '=' << limit.begin()->second;
  }
}

/// "1,2,3 .." with `count` numbers that look arbitrary and are below `vocabulary`.
std::string some_tokens(int count, int vocabulary) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text.append(i > 0 ? "," : "").append(std::to_string((i * 7919 + 13) % vocabulary));
  return text;
}

TEST(PretendDevices, GiveTheLogitsOfTheRealOnes) {
  const TinyChatModel model;
  expect_the_same_logits(model.path(), some_tokens(1, 256), profiles);
  expect_the_same_logits(model.path(), some_tokens(21, 256), profiles);
}

TEST(PretendDevicesFull, GiveTheLogitsOfTheRealModel) {
  const auto model = real_model();
  if (!model) GTEST_SKIP() << "the model is not there: set CLMX_MODEL or run ./demo";
  expect_the_same_logits(model->string(), some_tokens(75, 40'000), profiles);
}

TEST(LargestAllocationFull, MayBeSmallerThanTheWeightsOfTheRealModel) {
  const auto model = real_model();
  if (!model) GTEST_SKIP() << "the model is not there: set CLMX_MODEL or run ./demo";
  expect_the_same_logits(
      model->string(), some_tokens(75, 40'000),
      {{{"CLMX_MAX_ALLOCATION", "4M"}}, {{"CLMX_MAX_ALLOCATION", "4M"}, {"CLMX_PRETEND", "mali"}}});
}

}  // namespace
}  // namespace clmx
