#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "clmx/devices/error.hpp"
#include "clmx/host/gguf.hpp"
#include "support/gguf_builder.hpp"
#include "support/temp_folder.hpp"

namespace clmx {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t f32_type = 0, q4_0_type = 2;
const std::string four_floats(16, '\0');

std::string refusal(const TempFolder& folder, const std::string& content) {
  const auto path = folder.write("bad.gguf", content);
  try {
    const GgufFile file(path);
    return {};
  } catch (const FormatError& error) {
    EXPECT_EQ(error.file(), path.string());
    return error.what();
  }
}

GgufBuilder small_file() {
  GgufBuilder file;
  file.add("general.architecture", "llama").add("llama.block_count", 2u).add("scale", 0.5f);
  file.add("flag", true).add("words", std::vector<std::string>{"a", "", "bc"});
  file.add("kinds", std::vector<std::int32_t>{1, -3});
  file.tensor("norm", f32_type, {4}, four_floats);
  file.tensor("matrix", q4_0_type, {32, 2}, std::string(36, '\1'));
  return file;
}

TEST(GgufFile, ReadsMetadataAndTensors) {
  const TempFolder folder;
  const GgufFile file(folder.write("a.gguf", small_file().bytes()));
  EXPECT_EQ(file.text("general.architecture"), "llama");
  EXPECT_EQ(file.integer("llama.block_count"), 2);
  EXPECT_EQ(file.number("scale"), 0.5);
  EXPECT_EQ(file.number("llama.block_count"), 2.0);
  EXPECT_EQ(file.boolean_if("flag"), true);
  EXPECT_THAT(file.texts("words"), ElementsAre("a", "", "bc"));
  EXPECT_THAT(*file.integers_if("kinds"), ElementsAre(1, -3));
  EXPECT_EQ(file.integer_if("absent"), std::nullopt);
  EXPECT_EQ(file.numbers_if("absent"), nullptr);
  EXPECT_EQ(file.at("matrix").type, "Q4_0");
  EXPECT_THAT(file.at("matrix").shape, ElementsAre(2, 32));
  EXPECT_EQ(file.at("matrix").bytes.bytes.size(), 36);
}

TEST(GgufFile, ReadsEveryKindOfValue) {
  const TempFolder folder;
  GgufBuilder builder;
  using B = GgufBuilder;
  builder.pair("u8", 0, B::raw<std::uint8_t>(200)).pair("i8", 1, B::raw<std::int8_t>(-100));
  builder.pair("u16", 2, B::raw<std::uint16_t>(60000));
  builder.pair("i16", 3, B::raw<std::int16_t>(-30000)).pair("i32", 5, B::raw<std::int32_t>(-7));
  builder.pair("u64", 10, B::raw(~std::uint64_t{0})).pair("i64", 11, B::raw<std::int64_t>(-9));
  builder.pair("f64", 12, B::raw(0.1));
  builder.pair("u64s", 9, B::array(10, 2, B::raw<std::uint64_t>(1) + B::raw<std::uint64_t>(2)));
  builder.pair("f32s", 9, B::array(6, 1, B::raw(1.5f)));
  builder.pair("nested", 9, B::array(9, 1, B::array(0, 2, "\1\2")));
  const GgufFile file(folder.write("a.gguf", builder.bytes()));
  EXPECT_EQ(file.integer("u8"), 200);
  EXPECT_EQ(file.integer("i8"), -100);
  EXPECT_EQ(file.integer("u16"), 60000);
  EXPECT_EQ(file.integer("i16"), -30000);
  EXPECT_EQ(file.integer("i32"), -7);
  EXPECT_EQ(file.integer("i64"), -9);
  EXPECT_EQ(file.number("f64"), 0.1);
  EXPECT_THROW(file.integer("u64"), FormatError);
  EXPECT_THAT(*file.integers_if("u64s"), ElementsAre(1, 2));
  EXPECT_THAT(*file.numbers_if("f32s"), ElementsAre(1.5));
  const auto& nested = std::get<GgufArray>(file.metadata().at("nested").value);
  EXPECT_THAT(std::get<std::vector<std::int64_t>>(nested.at(0).value), ElementsAre(1, 2));
}

TEST(GgufFile, NamesAKeyThatIsMissingOrOfAnotherType) {
  const TempFolder folder;
  const GgufFile file(folder.write("a.gguf", small_file().bytes()));
  EXPECT_THROW(file.integer("absent"), FormatError);
  EXPECT_THROW(file.texts("absent"), FormatError);
  EXPECT_THROW(file.integer("general.architecture"), FormatError);
  EXPECT_THROW(file.number("flag"), FormatError);
  EXPECT_THROW(file.text_if("scale"), FormatError);
  EXPECT_THROW(file.boolean_if("scale"), FormatError);
  EXPECT_THROW(file.texts("kinds"), FormatError);
  EXPECT_THROW(file.integers_if("words"), FormatError);
  EXPECT_THROW(file.at("absent"), FormatError);
}

struct BadFile {
  const char* name;
  std::string content;
  const char* says;
};

std::string header(std::uint64_t tensors, std::uint64_t pairs, std::uint32_t version = 3) {
  using B = GgufBuilder;
  return "GGUF" + B::raw(version) + B::raw(tensors) + B::raw(pairs);
}

std::vector<BadFile> bad_heads() {
  using B = GgufBuilder;
  const std::uint64_t huge = ~std::uint64_t{0};
  const std::string key = B::text("k");
  const auto array = [&](std::uint32_t type, std::uint64_t count, const std::string& items) {
    return header(0, 1) + key + B::raw(9u) + B::array(type, count, items);
  };
  std::string deep = header(0, 1) + key + B::raw(9u);
  for (int i = 0; i < 100000; ++i) deep += B::array(9, 1, "");
  return {
      {"Empty", "", "magic"},
      {"AnotherMagic", "GGML" + std::string(60, '\0'), "not a GGUF"},
      {"VersionOne", header(0, 0, 1), "version 1"},
      {"VersionFour", header(0, 0, 4), "version 4"},
      {"BigEndian", header(0, 0, 0x03000000), "big-endian"},
      {"TensorCountLies", header(huge, 0), "number of tensors"},
      {"PairCountLies", header(0, huge), "number of metadata pairs"},
      {"PairCountLiesALittle", header(0, 1), "too short"},
      {"EmptyKey", header(0, 1) + B::text("") + B::raw(4u) + B::raw(1u), "empty metadata key"},
      {"LongKey", header(0, 1) + B::text(std::string(70000, 'k')) + B::raw(4u), "at most"},
      {"KeyLengthLies", header(0, 1) + B::raw(huge) + std::string(20, 'k'), "at most"},
      {"UnknownValueType", header(0, 1) + key + B::raw(13u) + B::raw(1u), "unknown type 13"},
      {"NegativeValueType", header(0, 1) + key + B::raw(-1) + B::raw(1u), "unknown type"},
      {"BooleanOfTwo", header(0, 1) + key + B::raw(7u) + "\2", "boolean"},
      {"TextLengthLies", header(0, 1) + key + B::raw(8u) + B::raw(huge), "at most"},
      {"TextEndsEarly", header(0, 1) + key + B::raw(8u) + B::raw<std::uint64_t>(9) + "a", "ends"},
      {"ArrayOfUnknownType", array(77, 1, "abcd"), "unknown type 77"},
      {"ArrayLengthLies", array(4, huge, "abcd"), "array's length"},
      {"TextArrayLengthLies", array(8, 1u << 30, "abcd"), "array's length"},
      {"ArrayOfTooLargeIntegers", array(10, 1, B::raw(huge)), "too large"},
      {"ArraysNestedDeeply", deep, "deeply"},
      {"KeyTwice", GgufBuilder().add("k", 1u).add("k", 2u).bytes(), "twice"},
      {"AlignmentZero", GgufBuilder().add("general.alignment", 0u).bytes(), "power of two"},
      {"AlignmentThree", GgufBuilder().add("general.alignment", 3u).bytes(), "power of two"},
      {"AlignmentHuge", GgufBuilder().add("general.alignment", 1u << 30).bytes(), "power of two"},
      {"AlignmentAText", GgufBuilder().add("general.alignment", "32").bytes(), "power of two"},
  };
}

std::vector<BadFile> bad_tensors() {
  const auto with = [](std::uint32_t type, const std::vector<std::uint64_t>& dims,
                       std::uint64_t offset = 0) {
    return GgufBuilder().describe("t", type, dims, offset).bytes() + four_floats;
  };
  const std::uint64_t half = std::uint64_t{1} << 32;
  const auto two = [](const std::string& second, std::uint64_t offset) {
    return GgufBuilder()
               .describe("t", f32_type, {4}, 0)
               .describe(second, f32_type, {4}, offset)
               .bytes() +
           std::string(64, '\0');
  };
  return {
      {"FiveAxes", with(f32_type, {1, 1, 1, 1, 1}), "5 axes"},
      {"ManyAxes",
       GgufBuilder().describe("t", f32_type, std::vector<std::uint64_t>(999, 1), 0).bytes(),
       "999 axes"},
      {"UnknownType", with(99, {4}), "unknown type 99"},
      {"RemovedType", with(4, {32}), "unknown type 4"},
      {"NegativeType", with(~0u, {4}), "unknown type"},
      {"RowsNotWholeBlocks", with(q4_0_type, {33}), "multiple"},
      {"ElementsOverflow", with(f32_type, {half, half}), "larger"},
      {"NegativeDimension", with(f32_type, {~std::uint64_t{0}}), "larger"},
      {"BytesOverflow", with(f32_type, {std::uint64_t{1} << 62}), "larger"},
      {"OffsetNotAligned", with(f32_type, {1}, 4), "multiple of 32"},
      {"OffsetPastTheEnd", with(f32_type, {1}, 1024), "the file holds"},
      {"OffsetWraps", with(f32_type, {4}, ~std::uint64_t{31}), "the file holds"},
      {"DataPastTheEnd", with(f32_type, {5}), "the file holds"},
      {"NameTwice", two("t", 32), "twice"},
      {"Overlap", two("u", 0), "overlaps"},
      {"LongName", GgufBuilder().describe(std::string(65, 'n'), f32_type, {1}, 0).bytes(),
       "at most 64"},
  };
}

class MalformedGguf : public testing::TestWithParam<BadFile> {};

TEST_P(MalformedGguf, IsRefused) {
  const TempFolder folder;
  EXPECT_THAT(refusal(folder, GetParam().content), HasSubstr(GetParam().says));
}

const auto test_name = [](const auto& test) { return std::string(test.param.name); };
INSTANTIATE_TEST_SUITE_P(Heads, MalformedGguf, testing::ValuesIn(bad_heads()), test_name);
INSTANTIATE_TEST_SUITE_P(Tensors, MalformedGguf, testing::ValuesIn(bad_tensors()), test_name);

TEST(GgufFile, RefusesEveryCutOffFile) {
  const TempFolder folder;
  const std::string whole = small_file().bytes();
  ASSERT_EQ(refusal(folder, whole), "");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(refusal(folder, whole.substr(0, size)), "") << size;
  }
}

TEST(GgufFile, SurvivesDamagedBytes) {
  const TempFolder folder;
  const std::string whole = small_file().bytes();
  std::mt19937 random(2);
  for (int i = 0; i < 700; ++i) {
    std::string damaged = whole;
    damaged[random() % whole.size()] = static_cast<char>(random());
    refusal(folder, damaged);  // a FormatError or success: anything else fails the test
  }
}

}  // namespace
}  // namespace clmx
