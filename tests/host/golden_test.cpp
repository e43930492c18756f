#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "clmx/devices/error.hpp"
#include "embedded_golden.hpp"
#include "golden_check.hpp"
#include "golden_manifest.hpp"
#include "support/temp_folder.hpp"
#include "support/test_devices.hpp"
#include "verify_golden.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

const fs::path golden = fs::path(CLMX_TEST_DATA) / "golden";

int passed(const FamilyResult& family) {
  return family.count(Outcome::bit_equal) + family.count(Outcome::within) +
         family.count(Outcome::refused) + family.count(Outcome::accepted);
}

const FamilyResult& family_of(const DeviceResult& device, const std::string& name) {
  for (const FamilyResult& family : device.families) {
    if (family.name == name) return family;
  }
  throw std::runtime_error("no family " + name);
}

/// The golden folder with a manifest of one family, changed by `change`.
class ChangedGolden {
 public:
  template <class Change>
  ChangedGolden(const std::string& family, Change change) {
    Json manifest = Json::parse(content_of(golden / "manifest.json"));
    Json kept{{"families", {{family, manifest["families"][family]}}}};
    change(kept["families"][family]);
    folder_.write("manifest.json", kept.dump());
    const std::string file = manifest["families"][family]["file"];
    fs::copy_file(golden / file, folder_ / file);
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

std::vector<Device> one_device() {
  return {test_devices().front()};
}

TEST(Golden, EveryCoveredCasePassesOnEveryDevice) {
  const std::vector<Device> devices = test_devices();
  const std::vector<DeviceResult> results = verify_golden(golden, devices);
  ASSERT_EQ(results.size(), devices.size());
  for (const DeviceResult& device : results) {
    EXPECT_EQ(device.failed(), 0) << device.selector;
    for (const FamilyResult& family : device.families) {
      SCOPED_TRACE(device.selector + " " + family.name);
      const CaseResult* failure = family.first_failure();
      EXPECT_FALSE(failure) << failure->name << ": " << failure->what << " at " << failure->index
                            << ": got " << failure->got << ", wanted " << failure->wanted;
      EXPECT_LE(family.worst(), 1);
    }
  }
}

TEST(Golden, NoFamilyAndNoCaseIsLeftOut) {
  const DeviceResult device = verify_golden(golden, one_device()).front();
  std::set<std::string> names;
  for (const FamilyResult& family : device.families) {
    names.insert(family.name);
    EXPECT_EQ(passed(family), static_cast<int>(family.cases.size())) << family.name;
    EXPECT_FALSE(family.cases.empty()) << family.name;
  }
  const std::set<std::string> all{"quantize_affine", "quantize_fp", "fp8",        "qmm",
                                  "gather_qmm",      "qqmm",        "layers",     "mpq",
                                  "attention",       "fast",        "checkpoint", "validation"};
  EXPECT_EQ(names, all);
  EXPECT_EQ(family_of(device, "quantize_affine").count(Outcome::within), 0);
  EXPECT_EQ(family_of(device, "quantize_fp").count(Outcome::within), 0);
  const FamilyResult& validation = family_of(device, "validation");
  EXPECT_GT(validation.count(Outcome::refused), 70);
  EXPECT_GT(validation.count(Outcome::accepted), 10);
}

TEST(Golden, OneFamilyAlone) {
  const DeviceResult device = verify_golden(golden, one_device(), {.family = "fast"}).front();
  ASSERT_EQ(device.families.size(), 1u);
  EXPECT_EQ(device.families.front().name, "fast");
  EXPECT_THROW((void)verify_golden(golden, one_device(), {.family = "none"}), ArgumentError);
}

TEST(Golden, OneCaseAlone) {
  const std::string name = "silu f16";
  const VerifyOptions only{.family = "fast", .case_name = name};
  const DeviceResult device = verify_golden(golden, one_device(), only).front();
  ASSERT_EQ(device.families.size(), 1u);
  ASSERT_EQ(device.families.front().cases.size(), 1u);
  EXPECT_EQ(device.families.front().cases.front().name, name);
  EXPECT_THROW((void)verify_golden(golden, one_device(), {.family = "fast", .case_name = "none"}),
               ArgumentError);
}

TEST(Golden, ProductsOfQuantizedActivationsAreCheckedByTheirSums) {
  const GoldenManifest manifest(golden);
  const GoldenFamily& family = manifest.family("qqmm");
  int checked = 0;
  for (const GoldenCase& one : family.cases()) {
    if (one.dtype != "f32") continue;  // MLX adds in the narrow type
    ++checked;
    const Array y = family.output(one, "y_mlx");
    const CaseResult right = check_golden(one, family, {{"y", y}});
    EXPECT_TRUE(right.outcome == Outcome::bit_equal || right.outcome == Outcome::within)
        << one.name << ": " << right.what;
    EXPECT_LE(right.worst, 1);
    std::vector<float> changed = y.to_vector<float>();
    changed.back() *= 1.001f;
    const Array wrong = Array::from(changed, y.shape());
    EXPECT_EQ(check_golden(one, family, {{"y", wrong}}).outcome, Outcome::failed) << one.name;
  }
  EXPECT_EQ(checked, 3);
}

TEST(Golden, TheEmbeddedSetIsTheOneOfTheTree) {
  std::filesystem::path folder;
  {
    const EmbeddedGolden embedded;
    folder = embedded.folder();
    int files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(golden)) {
      if (!entry.is_regular_file()) continue;
      ++files;
      const fs::path copy = folder / fs::relative(entry.path(), golden);
      EXPECT_EQ(content_of(copy), content_of(entry.path())) << copy;
    }
    EXPECT_EQ(files, 14);
  }
  EXPECT_FALSE(fs::exists(folder));
}

TEST(Golden, AWrongBitIsAFailureWithItsPlace) {
  const ChangedGolden changed("quantize_affine", [](Json& family) {
    Json& cases = family["cases"];
    cases[0]["inputs"]["w"] = "w_f16";
  });
  const DeviceResult device = verify_golden(changed.path(), one_device()).front();
  EXPECT_EQ(device.failed(), 1);
  const CaseResult* failure = device.families.front().first_failure();
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->name, device.families.front().cases.front().name);
  EXPECT_FALSE(failure->what.empty());
  const Json arguments = Json::parse(failure->arguments);
  EXPECT_EQ(arguments["op"], "quantize");
  EXPECT_EQ(arguments["inputs"]["w"], "w_f16");
  EXPECT_EQ(arguments["args"]["mode"], "affine");
}

TEST(Golden, AnErrorAboveTheToleranceIsAFailure) {
  const ChangedGolden changed("fast", [](Json& family) {
    for (Json& one : family["cases"]) one["tol"] = 1e-12;
  });
  EXPECT_GT(verify_golden(changed.path(), one_device()).front().failed(), 0);
}

TEST(Golden, AnOutputThatNothingGivesIsAFailure) {
  const ChangedGolden changed("fast", [](Json& family) {
    family["cases"][0]["outputs"]["second"] = family["cases"][0]["outputs"]["ref"];
  });
  const DeviceResult device = verify_golden(changed.path(), one_device()).front();
  EXPECT_EQ(device.failed(), 1);
  EXPECT_NE(device.families.front().first_failure()->what.find("'second'"), std::string::npos);
}

TEST(Golden, TheWorstShareIsANumberOfAFailureToo) {
  const ChangedGolden changed("fast", [](Json& family) {
    for (Json& one : family["cases"]) one["tol"] = 1e-12;
  });
  const double worst = verify_golden(changed.path(), one_device()).front().families[0].worst();
  EXPECT_GT(worst, 1);
  EXPECT_LT(worst, 1e12);
}

TEST(Golden, ADeepManifestOrAnEntryWithoutItsInputIsAFormatError) {
  const TempFolder folder;
  const std::string deep = std::string(60000, '[') + std::string(60000, ']');
  folder.write("manifest.json",
               R"({"families": {}, "errors": [{"op": "quantize", "inputs": {}, "clmx": "refuse",)"
               R"("args": {"a": )" +
                   deep + "}}]}");
  EXPECT_THROW((void)verify_golden(folder.path(), one_device()), FormatError);
  folder.write("manifest.json",
               R"({"families": {}, "errors": [{"op": "quantize", "inputs": {}, "clmx": "refuse",)"
               R"("args": {}}]})");
  EXPECT_THROW((void)verify_golden(folder.path(), one_device()), FormatError);
}

TEST(Golden, NamesHaveNoControlCharacters) {
  const ChangedGolden changed("fast",
                              [](Json& family) { family["cases"][0]["name"] = "a\x1b[31m\nb"; });
  const DeviceResult device = verify_golden(changed.path(), one_device()).front();
  EXPECT_EQ(device.families.front().cases.front().name, "a [31m b");
}

TEST(Golden, WhatClmxLacksIsNotCovered) {
  const ChangedGolden changed("fast", [](Json& family) {
    family["cases"][0]["op"] = "fourier";
    family["cases"][1]["check"] = "info";
  });
  const DeviceResult device = verify_golden(changed.path(), one_device()).front();
  EXPECT_EQ(device.failed(), 0);
  const std::vector<CaseResult>& cases = device.families.front().cases;
  EXPECT_EQ(cases[0].outcome, Outcome::not_covered);
  EXPECT_EQ(cases[1].outcome, Outcome::not_covered);
  EXPECT_NE(cases[6].outcome, Outcome::not_covered);
}

TEST(Golden, AManifestThatCannotBeReadIsAFormatError) {
  const TempFolder folder;
  EXPECT_THROW((void)verify_golden(folder.path(), one_device()), FormatError);
  for (const char* text :
       {"", "{", "[]", "{}", R"({"families": 3})", R"({"families": {"a": {"file": "x"}}})",
        R"({"families": {"a": {"file": "x", "cases": [{"name": 1}]}}})",
        R"({"families": {}, "errors": [{"op": "quantize"}]})"}) {
    folder.write("manifest.json", text);
    EXPECT_THROW((void)verify_golden(folder.path(), one_device()), FormatError) << text;
  }
}

TEST(Golden, AnEntryThatDescribesNoInputIsAFormatError) {
  const TempFolder folder;
  for (const char* text :
       {"f32[100000000000]", "f32[-1,64]", "f32[1.5]", "f32[4294967296,4294967296]", "f32[1e300]",
        "f32[nan,64]", "f32[1,1,1,1,1,1,1,1,1,1,64]", "nonsense", "=", "[2,64]",
        "f32=", "f16x[2,64]", "u8=[1e300]", "u32=[-5,nan]", "u32=[4294967296]", "i32=[-2147483649]",
        "u8=[0.5]", "u8=256"}) {
    const Json entry{{"op", "quantize"},
                     {"inputs", {{"w", text}}},
                     {"args", Json::object()},
                     {"clmx", "refuse"}};
    folder.write("manifest.json", Json{{"families", Json::object()}, {"errors", {entry}}}.dump());
    EXPECT_THROW((void)verify_golden(folder.path(), one_device()), FormatError) << text;
  }
}

TEST(Golden, AMissingTensorOrFileIsAFormatError) {
  const ChangedGolden no_tensor(
      "fast", [](Json& family) { family["cases"][0]["inputs"]["x"] = "nowhere"; });
  EXPECT_THROW((void)verify_golden(no_tensor.path(), one_device()), FormatError);
  const ChangedGolden no_input("fast",
                               [](Json& family) { family["cases"][0]["inputs"].erase("x"); });
  EXPECT_THROW((void)verify_golden(no_input.path(), one_device()), FormatError);
  for (const char* name : {"../other.safetensors", "..", "", ".", "other.safetensors", "/etc"}) {
    const ChangedGolden no_file("fast", [&](Json& family) { family["file"] = name; });
    EXPECT_THROW((void)verify_golden(no_file.path(), one_device()), FormatError) << name;
  }
}

TEST(Junit, HasASuitePerDeviceAndFamilyAndEscapesText) {
  const DeviceResult device{
      "8f3c",
      "pocl:0",
      {FamilyResult{"qmm",
                    {CaseResult{.name = "good", .outcome = Outcome::within},
                     CaseResult{.name = "a<b>&\"c\"", .outcome = Outcome::failed, .what = "bits"},
                     CaseResult{.name = "later"}}}}};
  const std::string xml = to_junit(std::vector{device});
  EXPECT_NE(xml.find("<testsuite name=\"pocl:0.qmm\" tests=\"3\" failures=\"1\" skipped=\"1\">"),
            std::string::npos)
      << xml;
  EXPECT_NE(xml.find("name=\"a&lt;b&gt;&amp;&quot;c&quot;\"><failure message=\"bits\">"),
            std::string::npos)
      << xml;
  EXPECT_NE(xml.find("<skipped message=\"not covered\"/>"), std::string::npos) << xml;
}

}  // namespace
}  // namespace clmx
