#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "clmx/host/safetensors.hpp"
#include "program.hpp"
#include "support/test_devices.hpp"
#include "tiny_chat_model.hpp"

namespace clmx {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// What scripts tell apart by the exit status.
constexpr int ok = 0, usage = 2, no_device = 3, bad_model = 4, no_memory = 5, gate = 6;

class Cli : public testing::Test {
 protected:
  Cli() { program_.environment = {{"CLMX_MODEL", model_.path()}, {"CLMX_DEVICE", device()}}; }
  static std::string device() { return test_devices().front().info().selector; }
  Ended run(const std::vector<std::string>& arguments) { return program_.run(arguments); }
  void expect_refused(const std::vector<std::string>& arguments, int status) {
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.status, status) << testing::PrintToString(arguments) << ended.err;
    EXPECT_EQ(ended.out, "") << testing::PrintToString(arguments);
    EXPECT_NE(ended.err, "") << testing::PrintToString(arguments);
  }
  TinyChatModel model_;
  Program program_;
};

TEST_F(Cli, SaysItsVersion) {
  const Ended ended = run({"--version"});
  EXPECT_EQ(ended.status, ok);
  EXPECT_THAT(ended.out, testing::StartsWith("clmx "));
}

TEST_F(Cli, WrongUsesAreStatus2) {
  expect_refused({}, usage);
  expect_refused({"fly"}, usage);
  expect_refused({"run"}, usage);
  expect_refused({"run", "--unknown", "hi"}, usage);
  expect_refused({"run", "--max-tokens", "0", "hi"}, usage);
  expect_refused({"run", "--max-tokens", "many", "hi"}, usage);
  expect_refused({"run", "--temperature", "-1", "hi"}, usage);
  expect_refused({"run", "--top-p", "1.5", "hi"}, usage);
  expect_refused({"run", "--dtype", "f64", "hi"}, usage);
  expect_refused({"run", "\xff\xfe"}, usage);
  expect_refused({"run", "--raw", ""}, usage);
  expect_refused({"run", std::string(600, 'a')}, usage);  // the context is 512
  expect_refused({"tokenize", "\xc3"}, usage);
  expect_refused({"logits", "--output", (model_ / "o").string()}, usage);
  expect_refused({"logits", "--tokens", "1", "--prompt", "a", "--output", "/dev/null"}, usage);
  expect_refused({"logits", "--tokens", "1,,2", "--output", (model_ / "o").string()}, usage);
  expect_refused({"logits", "--tokens", "320", "--output", (model_ / "o").string()}, usage);
  expect_refused({"--color", "pink", "devices"}, usage);
  program_.environment["CLMX_MAX_ALLOCATION"] = "much";
  expect_refused({"run", "hi"}, usage);
}

TEST_F(Cli, AMissingDeviceIsStatus3AndListsTheOthers) {
  for (const char* selector : {"nvidia:7", "9.9", "id=ffffffff", "name~nothing like this"}) {
    const Ended ended = run({"run", "-d", selector, "hi"});
    EXPECT_EQ(ended.status, no_device) << selector;
    EXPECT_EQ(ended.out, "");
    EXPECT_THAT(ended.err, HasSubstr(device()));
  }
  program_.environment["CLMX_DEVICE"] = "nvidia:7";
  expect_refused({"devices"}, no_device);
}

TEST_F(Cli, AMissingOrCutOffModelIsStatus4) {
  expect_refused({"run", "--model", "/nowhere/at/all", "hi"}, bad_model);
  std::filesystem::resize_file(model_ / "model.safetensors", 1000);
  expect_refused({"run", "hi"}, bad_model);
  std::ofstream(model_ / "junk.gguf") << "GGUF and nothing that makes sense";
  expect_refused({"tokenize", "--model", (model_ / "junk.gguf").string(), "hi"}, bad_model);
}

TEST_F(Cli, TooLittleDeviceMemoryIsStatus5) {
  program_.environment["CLMX_MAX_ALLOCATION"] = "1000";
  expect_refused({"run", "hi"}, no_memory);
}

TEST_F(Cli, DevicesListsWhatTheLibraryFinds) {
  const Ended ended = run({"devices", "--json", "-d", "all"});
  ASSERT_EQ(ended.status, ok) << ended.err;
  const json document = json::parse(ended.out);
  EXPECT_EQ(document.at("schema"), 1);
  ASSERT_EQ(document.at("devices").size(), Device::all().size());
  for (std::size_t i = 0; i < Device::all().size(); ++i) {
    const json& entry = document.at("devices")[i];
    EXPECT_EQ(entry.at("id"), Device::all()[i].info().id);
    EXPECT_EQ(entry.at("compute_units"), Device::all()[i].info().compute_units);
    for (const char* key :
         {"selector", "name", "platform", "type", "class", "opencl_c", "fp16", "fp64", "subgroups",
          "int_dot", "max_allocation", "local_bytes", "max_work_group", "self_check"}) {
      EXPECT_TRUE(entry.contains(key)) << key;
    }
  }
  const Ended table = run({"devices"});
  EXPECT_EQ(table.status, ok);
  EXPECT_THAT(table.out, HasSubstr(device()));
}

TEST_F(Cli, RunPrintsOneDocumentWithTheSameTokensForEveryDevice) {
  const std::vector<Device> devices = test_devices();
  std::string list;
  for (const Device& each : devices) list += (list.empty() ? "" : ",") + each.info().selector;
  const Ended ended =
      run({"run", "--json", "-d", list, "--raw", "--max-tokens", "12", "--ignore-eos", "Hello"});
  ASSERT_EQ(ended.status, ok) << ended.err;
  const json document = json::parse(ended.out);
  EXPECT_EQ(document.at("schema"), 1);
  ASSERT_EQ(document.at("runs").size(), devices.size());
  for (const json& entry : document.at("runs")) {
    EXPECT_EQ(entry.at("prompt_tokens"), json::parse("[72, 101, 108, 108, 111]"));
    EXPECT_EQ(entry.at("tokens").size(), 12U);
    EXPECT_EQ(entry.at("tokens"), document.at("runs")[0].at("tokens"));
    EXPECT_EQ(entry.at("finish"), "length");
    EXPECT_EQ(entry.at("dtype"), "f32");
    for (const char* key :
         {"load_s", "build_s", "first_token_s", "prefill_tok_s", "decode_tok_s"}) {
      EXPECT_TRUE(entry.at("timings").at(key).is_number()) << key;
    }
    EXPECT_GT(entry.at("memory").at("peak_rss_bytes"), 0);
    EXPECT_GT(entry.at("memory").at("device_bytes"), 0);
  }
}

TEST_F(Cli, RunWritesTheAnswerAloneToStdout) {
  const std::vector<std::string> arguments = {"run", "--raw",        "--max-tokens",
                                              "8",   "--ignore-eos", "Hello"};
  const Ended plain = run(arguments);
  ASSERT_EQ(plain.status, ok) << plain.err;
  EXPECT_THAT(plain.err, HasSubstr("tok/s"));
  std::vector<std::string> as_json = arguments;
  as_json.insert(as_json.end(), {"--json", "-q"});
  const Ended ended = run(as_json);
  EXPECT_EQ(ended.err, "");
  EXPECT_EQ(plain.out, json::parse(ended.out).at("runs")[0].at("text").get<std::string>() + "\n");
}

TEST_F(Cli, RunUsesTheChatTemplateUnlessRaw) {
  const Ended ended = run({"run", "--json", "--max-tokens", "1", "Hi"});
  ASSERT_EQ(ended.status, ok) << ended.err;
  const json tokens = json::parse(ended.out).at("runs")[0].at("prompt_tokens");
  EXPECT_EQ(tokens.front(), 256);  // <|im_start|>
  EXPECT_EQ(std::ranges::count(tokens, json(257)), 1);
}

TEST_F(Cli, TokenizeReadsTheArgumentOrStandardInput) {
  EXPECT_EQ(run({"tokenize", "Hi<|im_end|>"}).out, "72 105 257\n");
  program_.input = "ab\n";
  EXPECT_EQ(run({"tokenize"}).out, "97 98 10\n");
  EXPECT_EQ(json::parse(run({"tokenize", "--json"}).out),
            json::parse(R"({"schema": 1, "ids": [97, 98, 10]})"));
}

TEST_F(Cli, LogitsWritesTokensAndLogits) {
  const std::string output = (model_ / "logits.safetensors").string();
  ASSERT_EQ(run({"logits", "--prompt", "Hi there", "--output", output}).status, ok);
  const SafetensorsFile all(output);
  EXPECT_EQ(all.array("tokens").shape(), Shape{8});
  EXPECT_EQ(all.array("logits").shape(), (Shape{8, 320}));
  const auto values = all.array("logits").to_vector<float>();
  const Ended last =
      run({"logits", "--tokens", "72,105,32,116,104,101,114,101", "--last", "--output", output});
  ASSERT_EQ(last.status, ok) << last.err;
  EXPECT_EQ(last.out, "");
  const auto row = SafetensorsFile(output).array("logits").to_vector<float>();
  EXPECT_EQ(row, std::vector<float>(values.end() - 320, values.end()));
}

TEST_F(Cli, LogitsThatCannotBeWrittenAreStatus1) {
  expect_refused({"logits", "--tokens", "1", "--output", "/nowhere/at/all.safetensors"}, 1);
}

TEST_F(Cli, StandardOutputThatIsFullIsStatus1) {
  const std::string program = CLMX_PROGRAM;
  EXPECT_EQ(WEXITSTATUS(std::system((program + " devices > /dev/full 2> /dev/null").c_str())), 1);
}

/// Sends the signal while the program tells a story, on each device.
void interrupt(Program& program, int signal, const std::function<void(const Ended&)>& expect) {
  for (const Device& device : test_devices()) {
    program.start({"run", "--raw", "--ignore-eos", "--max-tokens", "500", "--temperature", "1",
                   "-d", device.info().selector, "Tell me a long story"});
    ASSERT_TRUE(program.wrote_within(std::chrono::seconds(100))) << device.info().selector;
    program.signal(signal);
    expect(program.wait());
  }
}

TEST_F(Cli, InterruptKeepsTheTextSoFarAndIsStatus130) {
  interrupt(program_, SIGINT, [](const Ended& ended) {
    EXPECT_EQ(ended.status, 130) << ended.err;
    EXPECT_THAT(ended.out, testing::EndsWith("\n"));
  });
}

TEST_F(Cli, TerminationIsStatus143) {
  interrupt(program_, SIGTERM,
            [](const Ended& ended) { EXPECT_EQ(ended.status, 143) << ended.err; });
}

TEST_F(Cli, VerifyNeedsAFolderWithAManifest) {
  expect_refused({"verify", "-q", "--golden", "/nowhere/at/all"}, bad_model);
}

TEST_F(Cli, VerifyCountsCasesPerFamily) {
  const std::filesystem::path golden = std::filesystem::path(CLMX_TEST_DATA) / "golden";
  if (!std::filesystem::exists(golden / "manifest.json")) GTEST_SKIP() << "no golden files";
  const std::string junit = (model_ / "junit.xml").string();
  const Ended ended = run({"verify", "--json", "--golden", golden.string(), "--family",
                           "quantize_affine", "--junit", junit});
  ASSERT_TRUE(ended.status == ok || ended.status == gate) << ended.err;
  const json device = json::parse(ended.out).at("devices").at(0);
  const json family = device.at("families").at("quantize_affine");
  EXPECT_EQ(ended.status, family.at("failed") == 0 ? ok : gate);
  EXPECT_GT(family.at("bit_equal"), 0);
  EXPECT_EQ(family.at("failed"), 0) << device.at("first_failure");
  EXPECT_THAT(content_of(junit), HasSubstr("<testsuite"));
}

TEST_F(Cli, VerifyNeedsNoFolder) {
  const Ended ended = run({"verify", "--json", "-q", "--family", "mpq"});
  ASSERT_EQ(ended.status, ok) << ended.err;
  const json device = json::parse(ended.out).at("devices").at(0);
  EXPECT_EQ(device.at("families").at("mpq").at("cases"), 45);
  EXPECT_GT(device.at("families").at("mpq").at("bit_equal"), 0);
  EXPECT_TRUE(device.at("first_failure").is_null());
}

TEST_F(Cli, VerifySaysHowToRepeatTheFirstFailure) {
  const std::filesystem::path golden = std::filesystem::path(CLMX_TEST_DATA) / "golden";
  const std::filesystem::path changed = model_ / "changed golden";
  std::filesystem::create_directories(changed);
  json manifest = json::parse(content_of(golden / "manifest.json"));
  json family = manifest.at("families").at("fast");
  for (json& one : family.at("cases")) one["tol"] = 1e-12;
  std::ofstream(changed / "manifest.json") << json{{"families", {{"fast", family}}}};
  std::filesystem::copy_file(golden / "fast.safetensors", changed / "fast.safetensors");
  const Ended ended = run({"verify", "--json", "-q", "--golden", changed.string()});
  ASSERT_EQ(ended.status, gate) << ended.err;
  const json device = json::parse(ended.out).at("devices").at(0);
  const json failure = device.at("first_failure");
  const std::string name = failure.at("case"), repeat = failure.at("repeat");
  EXPECT_TRUE(failure.at("arguments").at("op").is_string());
  EXPECT_EQ(repeat, "clmx verify --golden '" + changed.string() + "' --family fast --case '" +
                        name + "' -d " + device.at("selector").get<std::string>());
  const Ended again = run(
      {"verify", "--json", "-q", "--golden", changed.string(), "--family", "fast", "--case", name});
  EXPECT_EQ(again.status, gate);
  const json one = json::parse(again.out).at("devices").at(0);
  EXPECT_EQ(one.at("families").at("fast").at("cases"), 1);
  EXPECT_EQ(one.at("first_failure").at("case"), name);
  EXPECT_EQ(run({"verify", "-q", "--golden", changed.string(), "--case", "none"}).status, usage);
}

}  // namespace
}  // namespace clmx
