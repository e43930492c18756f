#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "clmx/host/safetensors.hpp"
#include "program.hpp"
#include "support/test_devices.hpp"
#include "tiny_chat_model.hpp"

namespace clmx {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// The first and the last device of the tests: two where there are two.
class CliPlace : public testing::Test {
 protected:
  CliPlace() { program_.environment = {{"CLMX_MODEL", model_.path()}, {"CLMX_DEVICE", first()}}; }
  static std::string first() { return test_devices().front().info().selector; }
  static std::string last() { return test_devices().back().info().selector; }
  std::string file(const char* name) const { return (model_ / name).string(); }
  Ended run(const std::vector<std::string>& arguments) { return program_.run(arguments); }
  Ended hello(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"run", "--raw",        "--json", "--max-tokens",
                                          "6",   "--ignore-eos", "Hello"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  TinyChatModel model_;
  Program program_;
};

TEST_F(CliPlace, RunGivesTheTokensOfOneDeviceAndSaysWhatRanWhere) {
  const Ended one = hello({}), two = hello({"--place", "0=" + first() + ",1=" + last()});
  ASSERT_EQ(one.status, 0) << one.err;
  ASSERT_EQ(two.status, 0) << two.err;
  const json alone = json::parse(one.out).at("runs")[0],
             placed = json::parse(two.out).at("runs")[0];
  EXPECT_EQ(placed.at("tokens"), alone.at("tokens"));
  EXPECT_FALSE(alone.contains("placement"));
  EXPECT_EQ(placed.at("placement")[0].at("devices"), json::array({first()}));
  EXPECT_EQ(placed.at("placement")[0].at("first"), "model.embed_tokens");
  const auto& moved = placed.at("transfers");
  const int arrays = moved.at("between_devices").get<int>() + moved.at("shared").get<int>();
  EXPECT_EQ(arrays > 0, first() != last());
}

TEST_F(CliPlace, LogitsHaveTheBitsOfOneDevice) {
  const std::string tokens = "72,105,32,116,104,101,114,101";
  ASSERT_EQ(run({"logits", "--tokens", tokens, "--output", file("one")}).status, 0);
  for (const std::string& place : {"model.layers.*.mlp=" + last() + ",head=" + last(),
                                   "head=" + first() + "+" + last(), std::string("auto")}) {
    const Ended ended =
        run({"logits", "--tokens", tokens, "--output", file("two"), "--place", place});
    ASSERT_EQ(ended.status, 0) << place << ended.err;
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(SafetensorsFile(file("two")).array("logits").to_vector<float>(),
              SafetensorsFile(file("one")).array("logits").to_vector<float>())
        << place;
  }
}

TEST_F(CliPlace, WrongPlacementsAreStatus2AndMissingDevicesStatus3) {
  for (const char* place : {"pocl", "0=", "0-2=cpu", "5=cpu", "tail=cpu", "0=cpu,",
                            "model.layers.7.mlp=cpu", "model.layers.0.mlp.up_proj=cpu"}) {
    const Ended ended = hello({"--place", place});
    EXPECT_EQ(ended.status, 2) << place << ended.err;
    EXPECT_EQ(ended.out, "") << place;
  }
  for (const char* place : {"0=nvidia:7", "0=cpu+nvidia:7", "head=nonsense"}) {
    const Ended ended = hello({"--place", place});
    EXPECT_EQ(ended.status, 3) << place << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(first()));
  }
}

TEST_F(CliPlace, DeniedTransfersAreStatus1) {
  if (first() == last()) GTEST_SKIP() << "needs two devices";
  const std::string place = "0=" + first() + ",1=" + last();
  const Ended strict = hello({"--strict", "--place", place});
  EXPECT_EQ(strict.status, 1) << strict.err;
  program_.environment["CLMX_TRANSFERS"] = "deny";
  const Ended denied = hello({"--place", place});
  EXPECT_EQ(denied.status, 1) << denied.err;
  EXPECT_THAT(denied.err, HasSubstr("CLMX_TRANSFERS"));
  EXPECT_EQ(hello({"--place", "0=" + first()}).status, 0);
}

TEST_F(CliPlace, ExplainTellsTheDeviceOfEveryOp) {
  const Ended ended = hello({"--explain", "--place", "1=" + last()});
  ASSERT_EQ(ended.status, 0) << ended.err;
  // Alike layers on one device are one part.
  EXPECT_THAT(ended.err, HasSubstr(first() == last() ? "model.layers.0-1\n" : "model.layers.1\n"));
  EXPECT_THAT(ended.err, HasSubstr("mlp: quantized_matmul("));
  EXPECT_THAT(ended.err, HasSubstr("self_attn: kv_append"));
  const json parts = json::parse(ended.out).at("runs")[0].at("explanation");
  EXPECT_EQ(parts.front().at("part"), "model.embed_tokens");
  EXPECT_EQ(parts.back().at("part"), "lm_head");
  EXPECT_THAT(parts.back().at("ops").back().get<std::string>(), HasSubstr(" on " + first()));
  EXPECT_THAT(parts[first() == last() ? 1 : 2].at("ops").back().get<std::string>(),
              HasSubstr(" on " + last()));
}

TEST_F(CliPlace, AutoSaysWhereItPutTheModel) {
  const Ended ended = hello({"--place", "auto", "-d", "all"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("model.embed_tokens to lm_head: "));
  EXPECT_EQ(json::parse(ended.out).at("runs")[0].at("placement").size(), 1U);
}

}  // namespace
}  // namespace clmx
