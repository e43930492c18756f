#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "clmx/host/safetensors.hpp"
#include "compare_command.hpp"
#include "tiny_chat_model.hpp"

namespace clmx {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST_F(CompareCommand, MeasuresAModelAgainstItsFloat64Run) {
  const TinyChatModel model;
  const std::vector<std::string> arguments{"--model", model.path(), "--text", "a b c d e f"};
  const Ended ended = compare(arguments, all_selectors());
  ASSERT_EQ(ended.status, ok) << ended.err;
  const json devices = json::parse(ended.out).at("devices");
  ASSERT_EQ(devices.size(), test_devices().size());
  for (const json& device : devices) {
    EXPECT_EQ(device.at("first_wrong"), nullptr);
    EXPECT_LT(device.at("kl_max"), 1e-9);
    EXPECT_GT(device.at("kl_max"), 0.0);
    EXPECT_EQ(device.at("top1"), 1.0);
    EXPECT_EQ(device.at("kl_max"), devices.at(0).at("kl_max"));  // the same bits
    for (const json& part : device.at("parts")) {
      EXPECT_LE(part.at("worst_budget"), 1.0) << part;
      EXPECT_LT(part.at("accumulated"), 1e-5) << part;
    }
  }
  plant({"common/reduce.clh", "c.lo + c.hi", "c.lo", ""});  // half of each sum is lost
  std::vector<std::string> with_junit = arguments;
  with_junit.insert(with_junit.end(), {"--junit", file("bad.xml")});
  const Ended bad = compare(with_junit, first());
  if (test_devices().front().info().device_class != DeviceClass::cpu_vector) return;
  EXPECT_EQ(bad.status, gate) << bad.err;
  const json wrong = json::parse(bad.out).at("devices").at(0).at("first_wrong");
  ASSERT_NE(wrong, nullptr);
  EXPECT_EQ(wrong.at("op"), "rms_norm");
  EXPECT_EQ(wrong.at("part"), "model.layers.0.self_attn");
  EXPECT_EQ(wrong.at("kernels"), "rms_norm");
  EXPECT_THAT(bad.err, HasSubstr("model.layers.0.self_attn: rms_norm of [11, "));
  EXPECT_THAT(bad.err, HasSubstr("(kernel rms_norm)"));
  EXPECT_THAT(content_of(folder_ / "bad.xml"), HasSubstr("<failure message=\"rms_norm of [11, "));
}

class CompareModelCommand : public CompareCommand {
 protected:
  /// With the tiny model and, if nothing says otherwise, a text.
  Ended with(std::vector<std::string> more, const std::string& devices = first()) {
    const bool has_prompt = std::ranges::any_of(more, [](const std::string& word) {
      return word == "--prompts" || word == "--text" || word.ends_with(".safetensors");
    });
    if (!has_prompt) more.insert(more.end(), {"--text", "a b c d e f"});
    more.insert(more.end(), {"--model", model_.path()});
    return compare(more, devices);
  }
  json document_with(const std::vector<std::string>& more) {
    const Ended ended = with(more);
    EXPECT_EQ(ended.status, ok) << ended.err;
    return json::parse(ended.out);
  }
  std::string written(const char* name, const std::string& text) {
    return folder_.write(name, text).string();
  }

  TinyChatModel model_;
};

TEST_F(CompareModelCommand, WritesItsReports) {
  const Ended ended = with({"--same-bits", "--min-devices", std::to_string(test_devices().size()),
                            "--html", file("page.html"), "--junit", file("junit.xml"), "--record",
                            file("record.json"), "--dump", "model.layers.1.mlp"},
                           all_selectors());
  ASSERT_EQ(ended.status, ok) << ended.err;
  const std::string page = content_of(folder_ / "page.html");
  for (const char* text : {"accumulated error", "local error", "KL of each token", "<svg",
                           "--dump model.layers.1.mlp", "Worst parts"})
    EXPECT_THAT(page, HasSubstr(text));
  EXPECT_THAT(page, testing::Not(HasSubstr("http")));  // nothing is fetched
  const std::string junit = content_of(folder_ / "junit.xml");
  EXPECT_THAT(junit, HasSubstr("<testsuite name=\"" + first() + ".model\" tests=\"7\""));
  EXPECT_THAT(junit, HasSubstr("<testsuite name=\"compare.gates\" tests=\"1\" failures=\"0\""));
  const Ended again = program_.run({"compare", file("record.json"), file("record.json")});
  EXPECT_EQ(again.status, ok) << again.err;
  EXPECT_THAT(again.out, HasSubstr("the same bits in all"));
  std::size_t swiglu = 0;
  const SafetensorsFile dumped(folder_ / "record.safetensors");
  for (const auto& [name, entry] : dumped.tensors()) {
    EXPECT_THAT(name, HasSubstr(": prompt 1: model.layers.1.mlp: "));
    swiglu += name.ends_with(": swiglu_halves") ? 1 : 0;
  }
  EXPECT_EQ(swiglu, test_devices().size());
}

TEST_F(CompareModelCommand, DrawsEveryLineOfASingleToken) {
  const json document =
      document_with({"--text", "a", "--modes", "affine4,mxfp4", "--html", file("page.html")});
  EXPECT_EQ(document.at("devices").at(0).at("positions"), 1);
  const std::string page = content_of(folder_ / "page.html");
  for (const std::string& line : {first(), std::string("affine4"), std::string("mxfp4")})
    EXPECT_THAT(page, HasSubstr("<title>" + line + ", prompt 1, position 0: "));
}

TEST_F(CompareModelCommand, TellsWhereAnotherRecordDiffers) {
  ASSERT_EQ(with({"--record", file("good.json")}).status, ok);
  EXPECT_EQ(with({"--text", "other", "--against", file("good.json")}).status, usage);
  if (test_devices().front().info().device_class != DeviceClass::cpu_vector) return;
  plant({"common/reduce.clh", "c.lo + c.hi", "c.even + c.odd", ""});  // within its budget
  const Ended other = with({"--against", file("good.json")});
  EXPECT_EQ(other.status, gate) << other.err;
  const json agreement = json::parse(other.out).at("agreements").at(0);
  EXPECT_EQ(agreement.at("first_op"), "rms_norm");
  EXPECT_EQ(agreement.at("first_case"), "prompt 1: model.layers.0.self_attn: 2: [11, 128]");
}

TEST_F(CompareModelCommand, TakesPromptsFromAFile) {
  const json lines =
      document_with({"--prompts", written("p.txt", "abc\n\nhallo\r\n")}).at("devices").at(0);
  EXPECT_EQ(lines.at("positions"), 8);
  const json list =
      document_with({"--prompts", written("p.json", " [\"abc\", \"hallo\"]")}).at("devices").at(0);
  EXPECT_EQ(list.at("kl"), lines.at("kl"));
  for (const char* odd : {"", "\n\n", "[1]", "[\"a\"", "[]", "[\"\"]"}) {
    const Ended ended = with({"--prompts", written("odd", odd)});
    EXPECT_EQ(ended.status, usage) << odd << ended.err;
  }
  EXPECT_EQ(with({"--prompts", file("none")}).status, usage);
  EXPECT_EQ(with({"--prompts", file("p.txt"), "--text", "a"}).status, usage);
}

class CompareLogits : public CompareModelCommand {
 protected:
  CompareLogits() {
    program_.run({"logits", "-d", first(), "--model", model_.path(), "--prompt", "abc", "--output",
                  logits_});
    const SafetensorsFile stored(logits_);
    values_ = stored.array("logits").to_vector<float>();
    tokens_ = stored.array("tokens").to_vector<std::int32_t>();
  }
  void write(const Shape& shape, bool told) const {
    std::map<std::string, Array> arrays{{"logits", Array::from(values_, shape)}};
    if (told) arrays.emplace("tokens", Array::from(tokens_, Shape{3}));
    save_safetensors(logits_, arrays);
  }

  std::string logits_ = file("logits.safetensors");
  std::vector<float> values_;
  std::vector<std::int32_t> tokens_;
};

TEST_F(CompareLogits, OfAnotherProgramAreMeasured) {
  const json own = document_with({"--against", logits_, "--max-kl", "1e-6"});
  EXPECT_EQ(own.at("devices").at(0).at("against").at("kl_max"), 0.0);
  EXPECT_EQ(own.at("devices").at(0).at("kl_max"), own.at("against").at("kl_max"));

  values_[320 + 5] += 50;  // position 1
  write({1, 3, 320}, true);
  const Ended other = with({"--against", logits_, "--max-kl", "1e-6"});
  EXPECT_EQ(other.status, gate);
  EXPECT_THAT(other.err, HasSubstr(logits_));
  const json against = json::parse(other.out).at("devices").at(0).at("against");
  EXPECT_EQ(against.at("first_difference").at("position"), 1);
  EXPECT_EQ(against.at("first_difference").at("wanted"), 5);
  EXPECT_EQ(against.at("worst_logit").at("token"), 5);
}

TEST_F(CompareLogits, HaveToBeOfTheText) {
  EXPECT_EQ(with({"--against", logits_, "--text", "abc"}).status, ok);
  EXPECT_EQ(with({"--against", logits_, "--text", "abd"}).status, usage);
  write({3, 320}, false);
  EXPECT_EQ(with({"--against", logits_}).status, usage);
  EXPECT_EQ(with({"--against", logits_, "--text", "abc"}).status, ok);
  const Ended longer = with({"--against", logits_, "--text", "abcd"});
  EXPECT_EQ(longer.status, bad_file);
  EXPECT_THAT(longer.err, HasSubstr("3 positions for 4 tokens"));
  write({320, 3}, true);
  const Ended odd = with({"--against", logits_});
  EXPECT_EQ(odd.status, bad_file);
  EXPECT_THAT(odd.err,
              HasSubstr("logits is F32 [320, 3], wanted is F32, F16 or BF16 [tokens, 320]"));
  tokens_[1] = 320;
  write({3, 320}, true);
  EXPECT_EQ(with({"--against", logits_}).status, bad_file);
  EXPECT_EQ(compare({"--ops", "--against", logits_}, first()).status, usage);
}

TEST_F(CompareModelCommand, ComparesModes) {
  const json document = document_with({"--modes", "affine4g32,affine8g32,mxfp4", "--record",
                                       file("record.json"), "--html", file("page.html")});
  const json& modes = document.at("modes");
  ASSERT_EQ(modes.size(), 3U);
  const auto kl = [&](int mode) {
    return modes.at(mode).at("devices").at(0).at("kl_mean").get<double>();
  };
  EXPECT_LT(kl(1), kl(0));
  EXPECT_LT(kl(1), kl(2));
  EXPECT_GT(kl(1), document.at("devices").at(0).at("kl_mean").get<double>());
  EXPECT_GT(modes.at(1).at("bytes"), modes.at(0).at("bytes"));
  EXPECT_GT(modes.at(0).at("bytes"), modes.at(2).at("bytes"));
  EXPECT_TRUE(document.at("devices").at(0).at("measures").contains("mxfp4: kl_mean"));
  EXPECT_THAT(content_of(folder_ / "page.html"), HasSubstr("affine8g32"));
  for (const char* odd : {"q4", "affine4,", "affine4,affine4", "affine4g7"})
    EXPECT_EQ(with({"--modes", odd}).status, usage) << odd;
}

TEST_F(CompareModelCommand, ShowsWhatGotWorse) {
  const Ended run = with({"--record", file("record.json")});
  for (const std::string& baseline : {file("record.json"), written("out.json", run.out)}) {
    const Ended same = with({"--baseline", baseline, "--strict"});
    EXPECT_EQ(same.status, ok) << same.err;
    EXPECT_EQ(json::parse(same.out).at("worse"), json::array());
  }
  json record = json::parse(content_of(folder_ / "record.json"));
  json& measures = record.at("devices").at(0).at("measures");
  measures["kl_max"] = measures.at("kl_max").get<double>() / 2;
  measures["more"] = 1;
  const std::string better = written("better.json", record.dump());
  const json list = document_with({"--baseline", better}).at("worse");
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list.at(0).at("measure"), "kl_max");
  EXPECT_EQ(list.at(1).at("now"), nullptr);
  const Ended strict = with({"--baseline", better, "--strict"});
  EXPECT_EQ(strict.status, gate);
  EXPECT_THAT(strict.err, HasSubstr("2 measures are worse than in"));
  EXPECT_EQ(with({"--baseline", better, "--dtype", "f16"}).status, usage);
  EXPECT_EQ(with({"--baseline", written("odd.json", "{}")}).status, bad_file);
  EXPECT_EQ(with({"--baseline", file("none.json")}).status, bad_file);
}

TEST_F(CompareModelCommand, ItsGatesRefuse) {
  EXPECT_EQ(with({"--max-kl", "1e-30"}).status, gate);
  EXPECT_EQ(with({"--modes", "affine8", "--max-kl", "10"}).status, ok);
  const Ended modes = with({"--modes", "affine8,affine2", "--max-kl", "1e-7"});
  EXPECT_EQ(modes.status, gate);
  EXPECT_THAT(modes.err, HasSubstr("affine2 on "));
  EXPECT_EQ(with({"--max-budget", "1e-9"}).status, gate);
  EXPECT_EQ(with({"--min-devices", "99"}).status, gate);
  const Ended no_part = with({"--record", file("r.json"), "--dump", "layers.9"});
  EXPECT_EQ(no_part.status, usage);
  EXPECT_THAT(no_part.err, HasSubstr("model.layers.1.mlp"));
  EXPECT_EQ(with({"--dump", "model.layers.1.mlp"}).status, usage);
  EXPECT_EQ(with({"--text", "a", "--dump", "lm_head", "--record", file("r.safetensors")}).status,
            usage);
}

}  // namespace
}  // namespace clmx
