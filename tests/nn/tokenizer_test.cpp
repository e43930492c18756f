#include "clmx/nn/tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "clmx/nn/chat_template.hpp"
#include "support/gguf_builder.hpp"
#include "support/real_model.hpp"
#include "support/temp_folder.hpp"

namespace clmx {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Ids = std::vector<std::int32_t>;

const std::string space = "\xc4\xa0";           // how byte 0x20 is written
const std::string line_end = "\xc4\x8a";        // byte 0x0a
const std::string face_1 = "\xc3\xb0\xc5\x81";  // bytes f0 9f, the first half of an emoji
const std::string face_2 = "\xc4\xba\xc4\xa2";  // bytes 98 80

/// A vocabulary with the tokens 0 <s>, 1 </s>, 2 <add>, then a to e, space, 1, 2, "é" in two
/// bytes, an emoji in two tokens, and some merges.
struct Vocabulary {
  std::vector<std::string> tokens{
      "<s>",      "</s>",     "<add>",     "a",        "b",        "c",        "d",
      "e",        space,      "1",         "2",        "\xc3\x83", "\xc2\xa9", "\xc3\x83\xc2\xa9",
      "\xc3\xb0", "\xc5\x81", "\xc4\xba",  "\xc4\xa2", face_1,     face_2,     "ab",
      "bc",       "abc",      space + "a", "12"};
  std::vector<std::int32_t> types = std::vector<std::int32_t>(tokens.size(), 1);
  std::vector<std::string> merges{"b c",
                                  "a b",
                                  "a bc",
                                  space + " a",
                                  "1 2",
                                  "\xc3\x83 \xc2\xa9",
                                  "\xc3\xb0 \xc5\x81",
                                  "\xc4\xba \xc4\xa2"};
  std::string model = "gpt2", pre = "gpt-2";
  std::uint32_t bos = 0, eos = 1;

  Vocabulary() {
    types[0] = types[1] = 3;
    types[2] = 4;
  }
  std::string gguf() const {
    GgufBuilder file;
    file.add("tokenizer.ggml.model", model.c_str()).add("tokenizer.ggml.pre", pre.c_str());
    file.add("tokenizer.ggml.tokens", tokens).add("tokenizer.ggml.token_type", types);
    file.add("tokenizer.ggml.merges", merges).add("tokenizer.ggml.bos_token_id", bos);
    file.add("tokenizer.ggml.eos_token_id", eos).add("tokenizer.chat_template", "T");
    return file.bytes();
  }
  Tokenizer load() const {
    const TempFolder folder;
    return Tokenizer::from_gguf(GgufFile(folder.write("v.gguf", gguf())));
  }
};

nlohmann::json small_json() {
  return nlohmann::json::parse(R"({
    "normalizer": null,
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Digits", "individual_digits": true},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]},
    "added_tokens": [{"id": 9, "content": "<s>", "special": true},
                     {"id": 10, "content": "<add>", "special": false}],
    "post_processor": {"type": "TemplateProcessing",
                       "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "1": 2, "Ġ": 3, "ab": 4, "11": 5, "Ġa": 6},
              "merges": ["a b", ["Ġ", "a"], "1 1"]}})");
}

Tokenizer load(const nlohmann::json& json, const std::optional<std::string>& config = {}) {
  const TempFolder folder;
  const auto file = folder.write("tokenizer.json", json.dump());
  if (!config) return Tokenizer::from_json(file);
  return Tokenizer::from_json(file, folder.write("tokenizer_config.json", *config));
}

TEST(Tokenizer, MergesTheEarliestPairsFirst) {
  const Tokenizer tokenizer = Vocabulary().load();
  EXPECT_THAT(tokenizer.encode("abc"), ElementsAre(22));  // b c before a b, then a bc
  EXPECT_THAT(tokenizer.encode("abab"), ElementsAre(20, 20));
  EXPECT_THAT(tokenizer.encode("a a"), ElementsAre(3, 23));
  EXPECT_THAT(tokenizer.encode(""), IsEmpty());
}

TEST(Tokenizer, DropsBytesWithoutAToken) {
  EXPECT_THAT(Vocabulary().load().encode("axb\x01"), ElementsAre(20));
}

TEST(Tokenizer, FindsSpecialTokensOnlyWhenAsked) {
  const Tokenizer tokenizer = Vocabulary().load();
  EXPECT_THAT(tokenizer.encode("a</s>b"), ElementsAre(3, 1, 4));
  EXPECT_THAT(tokenizer.encode("a</s>b", false), ElementsAre(3, 4));
  EXPECT_THAT(tokenizer.encode("a<add>b", false), ElementsAre(3, 2, 4));
  EXPECT_EQ(tokenizer.special_token("</s>"), 1);
  EXPECT_EQ(tokenizer.special_token("</S>"), std::nullopt);
}

TEST(Tokenizer, TellsItsSpecialTokens) {
  const Tokenizer tokenizer = Vocabulary().load();
  EXPECT_EQ(tokenizer.vocab_size(), 25);
  EXPECT_EQ(tokenizer.bos(), 0);
  EXPECT_TRUE(tokenizer.is_eos(1));
  EXPECT_FALSE(tokenizer.is_eos(0));
  EXPECT_TRUE(tokenizer.is_special(1));
  EXPECT_FALSE(tokenizer.is_special(2));
  EXPECT_FALSE(tokenizer.is_special(-1));
  EXPECT_FALSE(tokenizer.add_bos());
  EXPECT_EQ(tokenizer.chat_template(), "T");
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  const Tokenizer tokenizer = Vocabulary().load();
  for (const char* text : {"a\xff", "\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                           "\xe2\x82z", "\xf0\x9f\x98"}) {
    EXPECT_THROW(tokenizer.encode(text), ArgumentError);
  }
}

TEST(Tokenizer, DecodesWhatItEncodes) {
  const Tokenizer tokenizer = Vocabulary().load();
  const std::string text = "ab \xc3\xa9</s>\xf0\x9f\x98\x80 12<add>";
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  EXPECT_EQ(tokenizer.decode(Ids{11, 3}),
            "\xef\xbf\xbd"
            "a");
  EXPECT_THROW(tokenizer.decode(Ids{25}), ArgumentError);
  EXPECT_THROW(tokenizer.decode(Ids{-1}), ArgumentError);
}

TEST(StreamingDecoder, HoldsPartsOfCharacters) {
  StreamingDecoder decoder(Vocabulary().load());
  EXPECT_EQ(decoder.push(18), "");
  EXPECT_EQ(decoder.push(19), "\xf0\x9f\x98\x80");
  EXPECT_EQ(decoder.push(11), "");
  EXPECT_EQ(decoder.push(3),
            "\xef\xbf\xbd"
            "a");
  EXPECT_EQ(decoder.push(12), "\xef\xbf\xbd");
  EXPECT_EQ(decoder.push(14), "");
  EXPECT_EQ(decoder.finish(), "\xef\xbf\xbd");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(Tokenizer, SplitsDigitsAsItsPreTokenizerSays) {
  Vocabulary vocabulary;
  EXPECT_THAT(vocabulary.load().encode("12"), ElementsAre(24));
  vocabulary.pre = "smollm";
  EXPECT_THAT(vocabulary.load().encode("12"), ElementsAre(9, 10));
  vocabulary.pre = "qwen2";
  EXPECT_THAT(vocabulary.load().encode("12"), ElementsAre(9, 10));
  vocabulary.pre = "llama-bpe";
  EXPECT_THAT(vocabulary.load().encode("12"), ElementsAre(24));
}

TEST(Tokenizer, TakesWholePiecesFirstWhereTheModelDoes) {
  Vocabulary vocabulary;
  vocabulary.tokens.push_back("ed");
  vocabulary.types.push_back(1);
  EXPECT_THAT(vocabulary.load().encode("ed"), ElementsAre(7, 6));
  vocabulary.pre = "llama-bpe";
  EXPECT_THAT(vocabulary.load().encode("ed"), ElementsAre(25));
  EXPECT_TRUE(vocabulary.load().add_bos());
}

TEST(Tokenizer, EncodesLongWordsInShortTime) {
  const Tokenizer tokenizer = Vocabulary().load();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(tokenizer.encode(std::string(1'000'000, 'a')).size(), 1'000'000);
  std::string word;
  for (int i = 0; i < 300'000; ++i) word += "abc";
  EXPECT_EQ(tokenizer.encode(word).size(), 300'000);
  EXPECT_EQ(tokenizer.encode(std::string(1'000'000, ' ') + "a").size(), 1'000'000);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), 20);  // some tenths of a second; hours if it were quadratic
}

/// What loading says; empty when it works.
template <class Load>
std::string refusal(const Load& load) {
  try {
    load();
    return {};
  } catch (const FormatError& error) {
    return error.reason();
  }
}

TEST(Tokenizer, RefusesVocabulariesThatAreInconsistent) {
  const auto with = [](const auto& change) {
    Vocabulary vocabulary;
    change(vocabulary);
    return refusal([&] { vocabulary.load(); });
  };
  EXPECT_THAT(with([](auto& v) { v.pre = "tekken"; }), HasSubstr("'tekken' is unknown"));
  EXPECT_THAT(with([](auto& v) { v.model = "llama"; }), HasSubstr("'llama' is not supported"));
  EXPECT_THAT(with([](auto& v) { v.types.pop_back(); }), HasSubstr("24 token types"));
  EXPECT_THAT(with([](auto& v) { v.types[3] = 9; }), HasSubstr("unknown type 9"));
  EXPECT_THAT(with([](auto& v) { v.tokens[4] = "a"; }), HasSubstr("3 and 4 are the same"));
  EXPECT_THAT(with([](auto& v) { v.merges[0] = "bc"; }), HasSubstr("not of two parts"));
  EXPECT_THAT(with([](auto& v) { v.merges[0] = "b z"; }), HasSubstr("merge 0"));
  EXPECT_THAT(with([](auto& v) { v.merges[0] = "c b"; }), HasSubstr("merge 0"));
  EXPECT_THAT(with([](auto& v) { v.merges[0] = " "; }), HasSubstr("merge 0"));
  EXPECT_THAT(with([](auto& v) { v.bos = 25; }), HasSubstr("bos token 25"));
  EXPECT_THAT(with([](auto& v) { v.eos = 0xffffffff; }), HasSubstr("eos token"));
  EXPECT_THAT(with([](auto& v) { v.tokens.clear(), v.types.clear(); }), HasSubstr("empty"));
}

TEST(Tokenizer, ReadsTokenizerJson) {
  const Tokenizer tokenizer = load(small_json());
  EXPECT_THAT(tokenizer.encode("ab ab11<s><add>"), ElementsAre(4, 3, 4, 2, 2, 9, 10));
  EXPECT_EQ(tokenizer.vocab_size(), 11);
  EXPECT_EQ(tokenizer.bos(), 9);
  EXPECT_TRUE(tokenizer.add_bos());
  EXPECT_TRUE(tokenizer.is_special(9));
  EXPECT_FALSE(tokenizer.is_special(10));
  EXPECT_EQ(tokenizer.token_bytes(7), "");
  EXPECT_THAT(tokenizer.eos(), IsEmpty());
}

TEST(Tokenizer, ReadsTheConfigBesideTokenizerJson) {
  const Tokenizer tokenizer = load(small_json(), R"({"bos_token": {"content": "<s>"},
      "eos_token": "<s>", "add_bos_token": false, "chat_template":
      [{"name": "tools", "template": "x"}, {"name": "default", "template": "y"}]})");
  EXPECT_THAT(tokenizer.eos(), ElementsAre(9));
  EXPECT_FALSE(tokenizer.add_bos());
  EXPECT_EQ(tokenizer.chat_template(), "y");
}

TEST(Tokenizer, SplitsByThePatternsOfTokenizerJson) {
  nlohmann::json json = small_json();
  const auto with = [&](const char* pre_tokenizer, const char* text) {
    json["pre_tokenizer"]["pretokenizers"][0] = nlohmann::json::parse(pre_tokenizer);
    return load(json).encode(text);
  };
  EXPECT_THAT(with(R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Isolated"})", "ab"),
              ElementsAre(0, 1));
  EXPECT_THAT(
      with(R"({"type": "Split", "pattern": {"String": "."}, "behavior": "Removed"})", "a.b"),
      ElementsAre(0, 1));
  EXPECT_THAT(with(R"({"type": "Split", "pattern": {"Regex": "\\s"}, "behavior": "Removed",
                       "invert": true})",
                   "a a"),
              ElementsAre(3));
  EXPECT_THAT(with(R"({"type": "Digits", "individual_digits": false})", "a11"), ElementsAre(0, 5));
}

TEST(Tokenizer, RefusesTokenizerJsonItCannotFollow) {
  const auto with = [](const char* pointer, const nlohmann::json& value) {
    nlohmann::json json = small_json();
    json[nlohmann::json::json_pointer(pointer)] = value;
    return refusal([&] { load(json); });
  };
  EXPECT_THAT(with("/model/type", "Unigram"), HasSubstr("Unigram"));
  EXPECT_THAT(with("/model/byte_fallback", true), HasSubstr("byte_fallback"));
  EXPECT_THAT(with("/model/vocab", 3), HasSubstr("vocabulary"));
  EXPECT_THAT(with("/model/vocab/z", -1), HasSubstr("'z' has the id -1"));
  EXPECT_THAT(with("/model/vocab/z", 4000000000), HasSubstr("'z' has the id"));
  EXPECT_THAT(with("/model/vocab/z", 0), HasSubstr("two tokens have the id 0"));
  EXPECT_THAT(with("/model/merges/0", "ab"), HasSubstr("merge 0"));
  EXPECT_THAT(with("/model/merges/0", "a z"), HasSubstr("merge 0"));
  EXPECT_THAT(with("/model/merges", nullptr), HasSubstr("no merges"));
  EXPECT_THAT(with("/normalizer", {{"type", "NFKC"}}), HasSubstr("NFKC"));
  EXPECT_THAT(with("/pre_tokenizer", {{"type", "Metaspace"}}), HasSubstr("'Metaspace' is unknown"));
  EXPECT_THAT(with("/pre_tokenizer", nullptr), HasSubstr("no type"));
  EXPECT_THAT(with("/pre_tokenizer/pretokenizers/1/add_prefix_space", true),
              HasSubstr("add_prefix_space"));
  EXPECT_THAT(with("/pre_tokenizer/pretokenizers/0",
                   {{"type", "Split"}, {"pattern", {{"Regex", "("}}}, {"behavior", "Isolated"}}),
              HasSubstr("pattern"));
  EXPECT_THAT(
      with("/pre_tokenizer/pretokenizers/0",
           {{"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "MergedWithNext"}}),
      HasSubstr("MergedWithNext"));
  EXPECT_THAT(with("/added_tokens/0/id", 4), HasSubstr("two tokens have the id 4"));
  EXPECT_THAT(with("/added_tokens/0/lstrip", true), HasSubstr("lstrip"));
  EXPECT_THAT(with("/post_processor/single/0/SpecialToken/id", "<x>"), HasSubstr("'<x>'"));
}

TEST(Tokenizer, RefusesJsonThatHidesSomething) {
  const TempFolder folder;
  const auto load_text = [&](const std::string& text) {
    return refusal([&] { Tokenizer::from_json(folder.write("t.json", text)); });
  };
  EXPECT_THAT(load_text(R"({"model": {}, "model": {}})"), HasSubstr("twice"));
  EXPECT_THAT(load_text(std::string(100000, '[')), HasSubstr("deeply"));
  EXPECT_NE(load_text("{"), "");
  EXPECT_NE(load_text(""), "");
}

TEST(Tokenizer, StopsPatternsThatNeverEnd) {
  nlohmann::json json = small_json();
  json["pre_tokenizer"]["pretokenizers"][0] = nlohmann::json::parse(
      R"({"type": "Split", "pattern": {"Regex": "(a+)+[12]"}, "behavior": "Isolated"})");
  EXPECT_THROW(load(json).encode(std::string(60, 'a')), ArgumentError);
}

class RealTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    const auto path = real_model();
    if (!path) GTEST_SKIP() << "no real model: set CLMX_MODEL";
    file_.emplace(*path);
  }
  std::optional<GgufFile> file_;
};

TEST_F(RealTokenizer, GivesTheReferenceIdsOfEveryCase) {
  const Tokenizer tokenizer = Tokenizer::from_gguf(*file_);
  std::ifstream in(std::string(CLMX_TEST_DATA) + "/tokenizer_cases.json");
  const auto cases = nlohmann::json::parse(in).at("cases");
  ASSERT_GT(cases.size(), 50);
  for (const auto& one : cases) {
    const auto text = one.at("text").get<std::string>();
    const auto ids = one.at("ids").get<Ids>();
    EXPECT_EQ(tokenizer.encode(text), ids) << text;
  }
}

TEST_F(RealTokenizer, RendersAndEncodesTheReferencePrompts) {
  const Tokenizer tokenizer = Tokenizer::from_gguf(*file_);
  const ChatTemplate chat(tokenizer.chat_template());
  std::ifstream in(std::string(CLMX_TEST_DATA) + "/smollm2/golden.json");
  const auto prompts = nlohmann::json::parse(in).at("prompts");
  int chats = 0;
  for (const auto& prompt : prompts) {
    const auto text = prompt.at("text").get<std::string>();
    EXPECT_EQ(tokenizer.encode(text), prompt.at("tokens").get<Ids>()) << text;
    if (!prompt.contains("messages") || prompt.at("messages").is_null()) continue;
    std::vector<ChatMessage> messages;
    for (const auto& one : prompt.at("messages")) {
      messages.push_back({one.at("role").get<std::string>(), one.at("content").get<std::string>()});
    }
    EXPECT_EQ(chat.render(messages), text);
    ++chats;
  }
  EXPECT_GT(chats, 0);
}

TEST_F(RealTokenizer, KnowsItsSpecialTokensAndTemplate) {
  const Tokenizer tokenizer = Tokenizer::from_gguf(*file_);
  EXPECT_EQ(tokenizer.vocab_size(), 49152);
  EXPECT_EQ(tokenizer.bos(), tokenizer.special_token("<|im_start|>"));
  EXPECT_THAT(tokenizer.eos(), ElementsAre(2));
  EXPECT_FALSE(tokenizer.add_bos());
  EXPECT_EQ(ChatTemplate(tokenizer.chat_template()).default_system(),
            "You are a helpful AI assistant named SmolLM, trained by Hugging Face");
}

}  // namespace
}  // namespace clmx
