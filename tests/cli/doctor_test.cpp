#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program.hpp"

namespace clmx {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class DoctorCommand : public testing::Test {
 protected:
  json checks(const std::string& name, int status) {
    const Ended ended = program_.run({"doctor", "--json"});
    EXPECT_EQ(ended.status, status) << ended.err;
    const json document = json::parse(ended.out);
    EXPECT_EQ(document.at("schema"), 1);
    for (const json& check : document.at("checks")) {
      if (check.at("name").get<std::string>().find(name) != std::string::npos) return check;
    }
    ADD_FAILURE() << "no check " << name << " in " << ended.out;
    return {};
  }
  TempFolder folder_;
  Program program_;
};

TEST_F(DoctorCommand, IsContentWhereADeviceIsUsable) {
  EXPECT_EQ(checks("ICD files", 0).at("ok"), true);
  EXPECT_THAT(program_.run({"doctor"}).out, HasSubstr("ok    ICD files: "));
}

TEST_F(DoctorCommand, NamesAnIcdFileWhoseLibraryIsMissing) {
  folder_.write("broken.icd", "libpocl-of-another-age.so.9\n");
  program_.environment["OCL_ICD_VENDORS"] = folder_.path();
  const json check = checks("broken.icd", 3);
  EXPECT_EQ(check.at("ok"), false);
  EXPECT_THAT(check.at("found").get<std::string>(), HasSubstr("libpocl-of-another-age.so.9"));
  EXPECT_THAT(check.at("cure").get<std::string>(), HasSubstr("apt install"));
}

TEST_F(DoctorCommand, NamesALibraryThatIsNoDriver) {
  folder_.write("odd.icd", "libm.so.6\n");
  program_.environment["OCL_ICD_VENDORS"] = folder_.path();
  EXPECT_THAT(checks("odd.icd", 3).at("found").get<std::string>(), HasSubstr("no OpenCL driver"));
}

TEST_F(DoctorCommand, RunsByItselfWhereThereIsNoDevice) {
  program_.environment["OCL_ICD_VENDORS"] = folder_.path();
  for (const char* command : {"devices", "verify"}) {
    const Ended ended = program_.run({command});
    EXPECT_EQ(ended.status, 3) << command;
    EXPECT_THAT(ended.err, HasSubstr("FAIL  ICD files: " + folder_.path().string())) << command;
    EXPECT_THAT(ended.err, HasSubstr("unset OCL_ICD_VENDORS")) << command;
    EXPECT_THAT(ended.err, testing::Not(HasSubstr("ok    "))) << command;
  }
}

TEST_F(DoctorCommand, TellsOfAMissingLinkerAndCacheAndHome) {
  folder_.write("file", "");
  program_.environment["PATH"] = "";
  program_.environment["POCL_CACHE_DIR"] = (folder_ / "file").string();
  for (const char* name : {"HOME", "XDG_CACHE_HOME", "CLMX_CACHE_DIR"}) {
    program_.environment[name] = "";
  }
  EXPECT_EQ(checks("clmx's cache", 0).at("ok"), false);
  const std::string text = program_.run({"doctor"}).out;
  if (text.find("libpocl") == std::string::npos) return;  // PoCL's own needs
  EXPECT_THAT(text, HasSubstr("FAIL  linker"));
  EXPECT_THAT(text, HasSubstr("FAIL  PoCL's cache"));
}

}  // namespace
}  // namespace clmx
