#include "binary_store.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <chrono>

#include "support/temp_folder.hpp"

namespace clmx {
namespace {

const StoredBinary sample{{"scale 64 1 1", "scale 8 1 1"}, {1, 2, 0, 255, 7}};
constexpr std::string_view key = "clmx program 1\nplatform\noptions\nsource";

// Points the cache at a folder of its own.
class BinaryStore : public testing::Test {
 protected:
  BinaryStore() { ::setenv("CLMX_CACHE_DIR", directory_.c_str(), 1); }
  ~BinaryStore() override {
    ::unsetenv("CLMX_CACHE");
    if (before_.empty()) {
      ::unsetenv("CLMX_CACHE_DIR");
    } else {
      ::setenv("CLMX_CACHE_DIR", before_.c_str(), 1);
    }
  }
  std::filesystem::path entry() const { return entry_path(directory_, key); }

  const TempFolder folder_;
  const std::filesystem::path directory_ = folder_ / "cache";

 private:
  const char* const variable_ = ::getenv("CLMX_CACHE_DIR");
  const std::string before_ = variable_ == nullptr ? "" : variable_;
};

TEST(EntryFormat, GivesBackWhatWasEncoded) {
  const auto decoded = decode_entry(encode_entry(key, sample), key);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->shapes, sample.shapes);
  EXPECT_EQ(decoded->payload, sample.payload);
}

TEST(EntryFormat, RefusesAnotherKey) {
  EXPECT_FALSE(decode_entry(encode_entry(key, sample), "another key"));
}

TEST(EntryFormat, RefusesEveryTruncationAndExtension) {
  const std::string entry = encode_entry(key, sample);
  for (std::size_t length = 0; length < entry.size(); ++length) {
    EXPECT_FALSE(decode_entry(std::string_view(entry).substr(0, length), key)) << length;
  }
  EXPECT_FALSE(decode_entry(entry + '\0', key));
}

TEST(EntryFormat, RefusesEveryFlippedBit) {
  const std::string entry = encode_entry(key, sample);
  for (std::size_t bit = 0; bit < entry.size() * 8; ++bit) {
    std::string damaged = entry;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(decode_entry(damaged, key)) << bit;
  }
}

TEST_F(BinaryStore, StoresAndLoadsInAPrivateFolder) {
  EXPECT_FALSE(load_binary(key));
  ASSERT_TRUE(store_binary(key, sample));
  const auto loaded = load_binary(key);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->payload, sample.payload);
  struct stat status {};
  ASSERT_EQ(::stat(directory_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(BinaryStore, LeavesNoTemporaryBehind) {
  ASSERT_TRUE(store_binary(key, sample));
  ASSERT_TRUE(store_binary(key, sample));
  const std::filesystem::directory_iterator files(directory_), end;
  EXPECT_EQ(std::distance(files, end), 1);
}

TEST_F(BinaryStore, SweepsOldTemporariesOnly) {
  ASSERT_TRUE(store_binary(key, sample));
  for (const char* name : {"old.tmp", "new.tmp", "old.clbin"}) {
    std::ofstream(directory_ / name) << "x";
  }
  const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(2);
  std::filesystem::last_write_time(directory_ / "old.tmp", long_ago);
  std::filesystem::last_write_time(directory_ / "old.clbin", long_ago);
  sweep_temporaries(directory_);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "old.tmp"));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "new.tmp"));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "old.clbin"));
}

TEST_F(BinaryStore, PassesOverADamagedFile) {
  ASSERT_TRUE(store_binary(key, sample));
  std::filesystem::resize_file(entry(), 20);
  EXPECT_FALSE(load_binary(key));
  std::filesystem::resize_file(entry(), 0);
  EXPECT_FALSE(load_binary(key));
}

TEST_F(BinaryStore, NeitherReadsNorWritesWhenOff) {
  ASSERT_TRUE(store_binary(key, sample));
  ::setenv("CLMX_CACHE", "off", 1);
  EXPECT_FALSE(load_binary(key));
  EXPECT_FALSE(store_binary("another key", sample));
}

TEST_F(BinaryStore, KeepsOutOfAFolderThatOthersCanWrite) {
  ASSERT_TRUE(store_binary(key, sample));
  ASSERT_EQ(::chmod(directory_.c_str(), 0777), 0);
  EXPECT_FALSE(cache_directory());
  EXPECT_FALSE(load_binary(key));
}

TEST_F(BinaryStore, PassesOverAFileThatOthersCanWrite) {
  ASSERT_TRUE(store_binary(key, sample));
  ASSERT_EQ(::chmod(entry().c_str(), 0666), 0);
  EXPECT_FALSE(load_binary(key));
}

TEST_F(BinaryStore, GivesUpWhereNoFolderCanBeMade) {
  const auto file = folder_.write("file", "");
  ::setenv("CLMX_CACHE_DIR", (file / "cache").c_str(), 1);
  EXPECT_FALSE(store_binary(key, sample));
  EXPECT_FALSE(load_binary(key));
}

}  // namespace
}  // namespace clmx
