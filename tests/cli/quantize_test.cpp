#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "clmx/host/safetensors.hpp"
#include "program.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

using Content = std::map<std::string, std::string>;

Content content_of_folder(const fs::path& folder) {
  Content content;
  for (const auto& entry : fs::directory_iterator(folder)) {
    content[entry.path().filename().string()] = content_of(entry.path());
  }
  return content;
}

class QuantizeCommand : public testing::Test {
 protected:
  QuantizeCommand() {
    program_.environment = {{"CLMX_DEVICE", test_devices().front().info().selector}};
    fs::create_directory(folder_ / "work");
  }
  static std::string model() {
    return (fs::path(CLMX_TEST_DATA) / "tiny" / "llama_unquantized_f16_tied").string();
  }
  fs::path work() const { return folder_ / "work"; }
  fs::path out() const { return work() / "out"; }
  Ended quantize(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"quantize", model(), out().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return program_.run(arguments);
  }
  void expect_refused(const std::vector<std::string>& more, int status, const std::string& why) {
    const Ended ended = quantize(more);
    EXPECT_EQ(ended.status, status) << testing::PrintToString(more) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(why));
    EXPECT_FALSE(fs::exists(out())) << why;
    EXPECT_TRUE(fs::is_empty(work())) << why;
  }
  /// How often the program changes a file there when nothing kills it.
  int changes(const std::vector<std::string>& more) {
    watch();
    program_.environment["KILL_COUNT"] = (folder_ / "count").string();
    const Ended ended = quantize(more);
    EXPECT_EQ(ended.status, 0) << ended.err;
    program_.environment.erase("KILL_COUNT");
    return std::stoi(content_of(folder_ / "count"));
  }
  void watch() {
    program_.environment["LD_PRELOAD"] = CLMX_KILL_AT_WRITE;
    program_.environment.emplace("ASAN_OPTIONS", "verify_asan_link_order=0");
    program_.environment["KILL_BELOW"] = work().string();
  }
  void kill_at(int change, const std::vector<std::string>& more) {
    program_.environment["KILL_AT"] = std::to_string(change);
    const Ended ended = quantize(more);
    EXPECT_EQ(ended.status, 128 + SIGKILL) << change << ended.err;
    program_.environment.erase("KILL_AT");
  }
  void kill_everywhere(int step);
  void kill_everywhere_replacing(int step);

  TempFolder folder_;
  Program program_;
};

TEST_F(QuantizeCommand, WritesACheckpointThatRuns) {
  const Ended ended = quantize({"--json"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  const auto document = nlohmann::json::parse(ended.out);
  EXPECT_EQ(document.at("schema"), 1);
  EXPECT_EQ(document.at("layers").size(), 15U);
  EXPECT_EQ(document.at("tensors"), 50);
  EXPECT_NEAR(document.at("bits_per_weight").get<double>(), 4.52, 0.01);
  EXPECT_EQ(SafetensorsFile(out() / "model.safetensors").tensors().size(), 50U);
  const Ended logits = program_.run({"logits", "--model", out().string(), "--tokens", "1,2,3",
                                     "--output", (folder_ / "logits.safetensors").string()});
  EXPECT_EQ(logits.status, 0) << logits.err;
}

TEST_F(QuantizeCommand, WrongUsesChangeNothing) {
  const std::string plan = folder_.write("plan.json", R"({"model.norms": "keep"})").string();
  const std::string unknown = folder_.write("unknown.json", R"({"*": {"bit": 4}})").string();
  expect_refused({"--bits", "7"}, 2, "bits");
  expect_refused({"--group-size", "16"}, 2, "16");
  expect_refused({"--mode", "int4"}, 2, "int4");
  expect_refused({"--plan", plan}, 2, "model.norms");
  expect_refused({"--plan", unknown}, 2, "bit");
  expect_refused({"--plan", "/nowhere"}, 2, "/nowhere");
}

TEST_F(QuantizeCommand, OnlyForceReplacesACheckpointAndNothingReplacesAnotherFolder) {
  fs::create_directory(out());
  folder_.write("work/out/letter.txt", "mine");
  EXPECT_EQ(quantize().status, 2);
  EXPECT_EQ(quantize({"--force"}).status, 2);
  EXPECT_EQ(content_of(out() / "letter.txt"), "mine");
  fs::remove_all(out());
  ASSERT_EQ(quantize().status, 0);
  const Content before = content_of_folder(out());
  EXPECT_EQ(quantize({"--bits", "8"}).status, 2);
  EXPECT_EQ(content_of_folder(out()), before);
  const Ended forced = quantize({"--bits", "8", "--force"});
  EXPECT_EQ(forced.status, 0) << forced.err;
  EXPECT_NE(content_of_folder(out()), before);
}

// Killed just before a change: nothing under the name, or everything.
void QuantizeCommand::kill_everywhere(int step) {
  const int count = changes({});
  const Content whole = content_of_folder(out());
  int nothing = 0;
  for (int change = 1; change <= count; change += step) {
    fs::remove_all(out());
    kill_at(change, {});
    if (!fs::exists(out())) {
      ++nothing;
    } else {
      EXPECT_EQ(content_of_folder(out()), whole) << change;
    }
  }
  EXPECT_GT(nothing, 5);
  fs::remove_all(out());
  ASSERT_EQ(quantize().status, 0);
  EXPECT_EQ(content_of_folder(out()), whole);
  EXPECT_EQ(std::distance(fs::directory_iterator(work()), {}), 1)
      << "what killed runs left is still there";
}

// The same where a checkpoint is replaced: the old one or the new one, once what stands aside is
// back.
void QuantizeCommand::kill_everywhere_replacing(int step) {
  ASSERT_EQ(quantize({"--bits", "8"}).status, 0);
  const Content old = content_of_folder(out());
  const fs::path kept = folder_ / "kept";
  fs::copy(out(), kept);
  const int count = changes({"--force"});
  const Content whole = content_of_folder(out());
  ASSERT_NE(old, whole);
  std::map<std::string, int> found_at;
  for (int change = 1; change <= count; change += step) {
    fs::remove_all(out());
    fs::copy(kept, out());
    kill_at(change, {"--force"});
    const fs::path aside = work() / ".out.clmx-old";
    const Content found = content_of_folder(fs::exists(out()) ? out() : aside);
    EXPECT_TRUE(found == old || found == whole) << change;
    ++found_at[found == old ? "old" : "new"];
    if (!fs::exists(out())) {
      ++found_at["aside"];
      EXPECT_EQ(quantize().status, 2) << "the old one is not back";
    }
  }
  EXPECT_GT(found_at["old"], 5);
  EXPECT_GT(found_at["new"], 0);
  EXPECT_EQ(found_at["aside"] > 0, program_.environment.contains("REFUSE_RENAMEAT2"));
  ASSERT_EQ(quantize({"--force"}).status, 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(work()), {}), 1)
      << "what killed runs left is still there";
}

TEST_F(QuantizeCommand, KilledAtAWriteItLeavesNothingOrEverything) {
  kill_everywhere(9);
}

using QuantizeCommandFull = QuantizeCommand;

TEST_F(QuantizeCommandFull, KilledAtAnyWriteItLeavesNothingOrEverything) {
  kill_everywhere(1);
}
TEST_F(QuantizeCommandFull, KilledAtAnyWriteItLosesNoOldCheckpoint) {
  kill_everywhere_replacing(1);
}
TEST_F(QuantizeCommandFull, KilledAtAnyWriteItLosesNoOldCheckpointWhereFoldersCannotBeExchanged) {
  program_.environment.emplace("REFUSE_RENAMEAT2", "yes");
  kill_everywhere_replacing(1);
}

}  // namespace
}  // namespace clmx
