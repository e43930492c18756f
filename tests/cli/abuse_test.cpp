// The program where the system lacks something.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "program.hpp"
#include "support/test_devices.hpp"
#include "tiny_chat_model.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr int ok = 0, other = 1, usage = 2, no_device = 3;

/// A file system of 64 KiB; needs the right to mount.
class TinyDisk {
 public:
  explicit TinyDisk(const fs::path& path) : path_(path) {
    fs::create_directories(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=64k") == 0;
  }
  TinyDisk(const TinyDisk&) = delete;
  TinyDisk& operator=(const TinyDisk&) = delete;
  ~TinyDisk() {
    if (mounted_) ::umount(path_.c_str());
  }
  explicit operator bool() const { return mounted_; }
  void fill() const {
    std::ofstream(path_ / "filler") << std::string(std::size_t{1} << 16, 'x') << std::flush;
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
  bool mounted_ = false;
};

/// Runs of the tiny model on every device of the tests, with caches of their own.
class Abuse : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void give_environment(Program& program) const {
    program.environment["CLMX_MODEL"] = model_.path();
    program.environment["CLMX_CACHE_DIR"] = path("clmx");
    program.environment["POCL_CACHE_DIR"] = path("pocl");
  }
  Ended logits(const std::string& device, const std::map<std::string, std::string>& changes,
               const std::string& output = {}) const {
    Program program;
    give_environment(program);
    for (const auto& [name, value] : changes) program.environment[name] = value;
    return program.run({"logits", "-d", device, "--tokens", "1,2,3", "--last", "--output",
                        output.empty() ? path("out.safetensors") : output});
  }
  static bool is_pocl(const Device& device) { return device.info().selector.starts_with("pocl"); }
  void expect_a_word(const Ended& ended, const std::string& word) const {
    EXPECT_EQ(ended.status, no_device) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("clmx: "));
    EXPECT_THAT(ended.err, HasSubstr(word));
  }

  // With -v one line says that kernels are not kept, and why; without it none.
  void expect_told_of_cache(const std::string& cache, const std::string& why) const {
    Program program;
    give_environment(program);
    program.environment["CLMX_CACHE_DIR"] = path(cache);
    const Ended told = program.run({"devices", "-v"});
    EXPECT_THAT(told.err, HasSubstr("compiled kernels are not kept: clmx's cache " + path(cache)));
    EXPECT_THAT(told.err, HasSubstr(why));
    EXPECT_THAT(program.run({"devices"}).err, Not(HasSubstr("are not kept")));
  }

  const TempFolder folder_;
  const TinyChatModel model_;
};

TEST_F(Abuse, AnUnusableCacheIsMentionedWhenAsked) {
  folder_.write("file", "");
  expect_told_of_cache("file/below", "is not a folder");
  Program program;
  give_environment(program);
  EXPECT_THAT(program.run({"devices", "-v"}).err, Not(HasSubstr("are not kept")));
}

TEST_F(Abuse, WithoutHomeDevicesWorkAndTheDefaultModelIsAnError) {
  for (const Device& device : test_devices()) {
    for (const char* home : {"", "/nonexistent/home"}) {
      const Ended ended = logits(device.info().selector,
                                 {{"HOME", home}, {"XDG_CACHE_HOME", ""}, {"CLMX_CACHE_DIR", ""}});
      EXPECT_EQ(ended.status, ok) << device.info().selector << ended.err;
    }
  }
  Program program;
  give_environment(program);
  for (const char* name : {"HOME", "XDG_DATA_HOME", "CLMX_MODEL"}) program.environment[name] = "";
  const Ended ended = program.run({"tokenize", "Hi"});
  EXPECT_EQ(ended.status, usage) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("HOME is not set"));
}

TEST_F(Abuse, WithoutPathADeviceWorksOrSaysWhatItNeeds) {
  const std::map<std::string, std::string> no_path = {{"PATH", ""}};
  for (const Device& device : test_devices()) {
    const Ended cold = logits(device.info().selector, no_path);
    if (!is_pocl(device)) {
      EXPECT_EQ(cold.status, ok) << cold.err;
      continue;
    }
    expect_a_word(cold, "PoCL needs ld");
    // It is no verdict: with the linker back the device is used without a word.
    const Ended cured = logits(device.info().selector, {});
    EXPECT_EQ(cured.status, ok) << cured.err;
    EXPECT_THAT(cured.err, Not(HasSubstr("failed its self-check")));
    EXPECT_EQ(logits(device.info().selector, no_path).status, ok) << "nothing is left to compile";
  }
}

TEST_F(Abuse, ALostPoclIsMentionedWithTheCause) {
  folder_.write("file", "");
  for (const Device& device : test_devices()) {
    if (!is_pocl(device)) continue;
    const std::map<std::string, std::string> unwritable = {{"POCL_CACHE_DIR", path("file/below")}};
    const Ended named = logits(device.info().selector, unwritable);
    EXPECT_EQ(named.status, no_device) << named.err;
    Program program;
    program.environment = unwritable;
    const Ended listed = program.run({"devices"});
    EXPECT_THAT(listed.out + listed.err, HasSubstr("file is not a folder"));
    EXPECT_EQ(program.run({"devices", "--strict"}).status, no_device);
  }
}

TEST_F(Abuse, AFullDiskIsNamedOrWorkedAround) {
  const TinyDisk disk(folder_ / "disk");
  if (!disk) GTEST_SKIP() << "only who may mount can have a full disk here";
  disk.fill();
  for (const Device& device : test_devices()) {
    const std::string& selector = device.info().selector;
    if (is_pocl(device)) {
      expect_a_word(logits(selector, {{"POCL_CACHE_DIR", path("disk/pocl")}}), "0 MiB are free");
    }
    const Ended without_cache = logits(selector, {{"CLMX_CACHE_DIR", path("disk/clmx")}});
    EXPECT_EQ(without_cache.status, ok) << without_cache.err;
    expect_told_of_cache("disk/clmx", "only 0 MiB are free");
    const std::size_t before = disk.files();
    const Ended no_room = logits(selector, {}, path("disk/out.safetensors"));
    EXPECT_EQ(no_room.status, other) << no_room.err;
    EXPECT_THAT(no_room.err, HasSubstr("No space left"));
    EXPECT_EQ(disk.files(), before) << "a partial file";
  }
}

}  // namespace
}  // namespace clmx
