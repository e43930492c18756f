#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "support/temp_folder.hpp"

namespace clmx {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string safetensors(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

template <class T>
std::string raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

/// The error that a file with this content gives; empty when it is accepted.
std::string refusal(const TempFolder& folder, const std::string& content) {
  const auto path = folder.write("bad.safetensors", content);
  try {
    const SafetensorsFile file(path);
    return {};
  } catch (const FormatError& error) {
    EXPECT_EQ(error.file(), path.string());
    return error.what();
  }
}

TEST(SafetensorsFile, ReadsBackWhatWasSaved) {
  const TempFolder folder;
  const Array floats = Array::from(std::vector<float>{1, -2, 3.5f, 4, 5, 6}, {2, 3});
  const Array bytes = Array::from(std::vector<std::uint8_t>{7, 8, 9}, {3});
  const Array none = Array::from(std::vector<std::int32_t>{}, {0, 4});
  save_safetensors(folder / "a.safetensors", {{"w", floats}, {"b \"ü\"", bytes}, {"none", none}},
                   {{"format", "mlx"}});

  const SafetensorsFile file(folder / "a.safetensors");
  EXPECT_EQ(file.tensors().size(), 3);
  EXPECT_EQ(file.metadata().at("format"), "mlx");
  EXPECT_EQ(file.array("w").shape(), (Shape{2, 3}));
  EXPECT_THAT(file.array("w").to_vector<float>(), ElementsAre(1, -2, 3.5f, 4, 5, 6));
  EXPECT_THAT(file.array("b \"ü\"").to_vector<std::uint8_t>(), ElementsAre(7, 8, 9));
  EXPECT_EQ(file.array("none").shape(), (Shape{0, 4}));
  EXPECT_EQ(content_of(folder / "a.safetensors").find('{'), 8);
}

TEST(SafetensorsFile, ConvertsIntegersThatClmxHasNoTypeFor) {
  const TempFolder folder;
  const std::string header =
      "{\"a\":" + entry("I64", "[2]", "[0,16]") + ",\"b\":" + entry("BOOL", "[2]", "[16,18]") +
      ",\"c\":" + entry("I16", "[1]", "[18,20]") + ",\"d\":" + entry("U16", "[1]", "[20,22]") + "}";
  const std::string data = raw<std::int64_t>({-5, 2147483647}) + raw<std::uint8_t>({0, 1}) +
                           raw<std::int16_t>({-3}) + raw<std::uint16_t>({65535});
  const SafetensorsFile file(folder.write("i.safetensors", safetensors(header, data)));
  EXPECT_THAT(file.array("a").to_vector<std::int32_t>(), ElementsAre(-5, 2147483647));
  EXPECT_THAT(file.array("b").to_vector<std::uint8_t>(), ElementsAre(0, 1));
  EXPECT_THAT(file.array("c").to_vector<std::int32_t>(), ElementsAre(-3));
  EXPECT_THAT(file.array("d").to_vector<std::uint32_t>(), ElementsAre(65535));
}

TEST(SafetensorsFile, RefusesToShortenAnIntegerThatDoesNotFit) {
  const TempFolder folder;
  const SafetensorsFile file(
      folder.write("i.safetensors", safetensors("{\"a\":" + entry("I64", "[1]", "[0,8]") + "}",
                                                raw<std::int64_t>({2147483648}))));
  EXPECT_THROW(file.array("a"), FormatError);
}

TEST(SafetensorsFile, CopiesTensorsThatAreNotAligned) {
  const TempFolder folder;
  const std::string header =
      "{\"a\":" + entry("U8", "[1]", "[0,1]") + ",\"f\":" + entry("F32", "[1]", "[1,5]") + "}";
  const SafetensorsFile file(
      folder.write("u.safetensors", safetensors(header, "x" + raw<float>({2.5f}))));
  EXPECT_THAT(file.array("f").to_vector<float>(), ElementsAre(2.5f));
}

TEST(SafetensorsFile, NamesATensorThatIsMissing) {
  const TempFolder folder;
  const SafetensorsFile file(folder.write("e.safetensors", safetensors("{}", "")));
  try {
    file.array("model.norm");
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("model.norm"));
  }
}

TEST(SafetensorsFile, PassesOverFieldsItDoesNotKnow) {
  const TempFolder folder;
  const std::string header =
      R"({"a":{"new":{"x":[1,{"y":null}]},"dtype":"U8","shape":[1],"more":-1.5,"data_offsets":[0,1]}})";
  EXPECT_EQ(refusal(folder, safetensors(header, "x")), "");
}

struct BadFile {
  const char* name;
  std::string content;
  const char* says;
};

std::vector<BadFile> bad_files() {
  const std::string f32 = entry("F32", "[1]", "[0,4]");
  const auto one = [](const std::string& tensor, const std::string& data = "1234") {
    return safetensors("{\"a\":" + tensor + "}", data);
  };
  std::string long_length = safetensors("{}", "");
  long_length[6] = 1;
  return {
      {"Empty", "", "ends before"},
      {"SevenBytes", "1234567", "ends before"},
      {"HeaderLongerThanFile", safetensors("{}", "").replace(0, 1, "\x09"), "header would have 9"},
      {"HeaderOver100Megabytes", long_length, "at most"},
      {"EmptyHeader", safetensors("", ""), "header"},
      {"NotJson", safetensors("{\"a\":", ""), "header"},
      {"TextAfterJson", safetensors("{}x", ""), "header"},
      {"NotUtf8", safetensors("{\"\xff\":" + f32 + "}", "1234"), "header"},
      {"AnArray", safetensors("[]", ""), "not an object"},
      {"ANumber", safetensors("3", ""), "not an object"},
      {"ATensorThatIsANumber", one("3"), "not an object"},
      {"ATensorThatIsNull", one("null"), "null"},
      {"DeepNesting", safetensors(R"({"a":{"x":)" + std::string(100000, '['), ""), "deeply"},
      {"TwiceTheName", safetensors("{\"a\":" + f32 + ",\"a\":" + f32 + "}", "1234"), "twice"},
      {"TwiceTheField", one(R"({"dtype":"U8","dtype":"U8"})"), "twice"},
      {"MetadataTwice", safetensors(R"({"__metadata__":{},"__metadata__":{}})", ""), "twice"},
      {"MetadataNotText", safetensors(R"({"__metadata__":{"a":1}})", ""), "not a string"},
      {"NoDtype", one(R"({"shape":[1],"data_offsets":[0,4]})"), "needs dtype"},
      {"UnknownDtype", one(entry("F33", "[1]", "[0,4]")), "unknown dtype"},
      {"DtypeNotText", one(R"({"dtype":1,"shape":[1],"data_offsets":[0,4]})"), "wrong type"},
      {"NegativeShape", one(entry("F32", "[-1]", "[0,4]")), "wrong type"},
      {"FractionInShape", one(entry("F32", "[1.0]", "[0,4]")), "wrong type"},
      {"ShapeTooLargeForALong", one(entry("F32", "[99999999999999999999]", "[0,4]")), "wrong type"},
      {"ShapeOverflows", one(entry("F32", "[4294967296,4294967296,1]", "[0,4]")), "shape"},
      {"ByteCountOverflows", one(entry("F64", "[4611686018427387904]", "[0,4]")), "shape"},
      {"OneOffset", one(entry("F32", "[1]", "[0]")), "two data_offsets"},
      {"ThreeOffsets", one(entry("F32", "[1]", "[0,4,8]")), "two data_offsets"},
      {"OffsetsReversed", one(entry("F32", "[1]", "[0,4]"), "12"), "ends at 4"},
      {"EndBeforeBegin", one(entry("F32", "[0]", "[4,0]")), "begins at 4"},
      {"EndPastFile", one(entry("F32", "[2]", "[0,8]")), "ends at 8"},
      {"HugeEnd", one(entry("F32", "[1]", "[0,18446744073709551615]")), "ends at"},
      {"ShapeUnlikeBytes", one(entry("F32", "[2]", "[0,4]")), "4 bytes"},
      {"HalfAByte", one(entry("F4", "[3]", "[0,1]"), "1"), "1 bytes"},
      {"Hole", one(entry("U8", "[3]", "[1,4]")), "begins at 1"},
      {"Overlap",
       safetensors("{\"a\":" + f32 + ",\"b\":" + entry("U8", "[2]", "[3,5]") + "}", "12345"),
       "begins at 3"},
      {"BytesLeftOver", one(f32, "12345"), "goes on"},
  };
}

class MalformedSafetensors : public testing::TestWithParam<BadFile> {};

TEST_P(MalformedSafetensors, IsRefused) {
  const TempFolder folder;
  EXPECT_THAT(refusal(folder, GetParam().content), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(Kinds, MalformedSafetensors, testing::ValuesIn(bad_files()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(SafetensorsFile, RefusesEveryCutOffFile) {
  const TempFolder folder;
  const std::string whole = safetensors("{\"a\":" + entry("F32", "[2]", "[0,8]") + "}", "12345678");
  ASSERT_EQ(refusal(folder, whole), "");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(refusal(folder, whole.substr(0, size)), "") << size;
  }
}

TEST(SafetensorsFile, SurvivesDamagedBytes) {
  const TempFolder folder;
  const std::string whole =
      safetensors("{\"__metadata__\":{\"k\":\"v\"},\"a\":" + entry("F32", "[2]", "[0,8]") +
                      ",\"b\":" + entry("BF16", "[2,1]", "[8,12]") + "}",
                  "123456789012");
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    std::string damaged = whole;
    damaged[random() % whole.size()] = static_cast<char>(random());
    damaged[random() % whole.size()] = "0129[]{},:\""[random() % 11];
    refusal(folder, damaged);  // a FormatError or success: anything else fails the test
  }
}

TEST(MapFile, RefusesWhatIsNotAFile) {
  const TempFolder folder;
  EXPECT_THROW(map_file(folder / "missing"), FormatError);
  EXPECT_THROW(map_file(folder.path()), FormatError);
}

TEST(WriteFileAtomically, ReplacesAFileAndLeavesNothingElse) {
  const TempFolder folder;
  const std::string before = "before", after = "after";
  write_file_atomically(folder / "f", std::as_bytes(std::span<const char>(before)));
  write_file_atomically(folder / "f", std::as_bytes(std::span<const char>(after)));
  EXPECT_EQ(content_of(folder / "f"), "after");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(WriteFileAtomically, KeepsTheOldFileWhenItCannotWrite) {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "f");
  const std::string text = "text";
  EXPECT_THROW(write_file_atomically(folder / "f", std::as_bytes(std::span<const char>(text))),
               FormatError);
  EXPECT_THROW(write_file_atomically(folder / "no/f", std::as_bytes(std::span<const char>(text))),
               FormatError);
  EXPECT_TRUE(std::filesystem::is_directory(folder / "f"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(SaveSafetensors, RefusesNamesItCannotWrite) {
  const TempFolder folder;
  const Array one(1.0f);
  EXPECT_THROW(save_safetensors(folder / "a", {{"__metadata__", one}}), ArgumentError);
  EXPECT_THROW(save_safetensors(folder / "a", {{"\xff", one}}), ArgumentError);
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
}

}  // namespace
}  // namespace clmx
