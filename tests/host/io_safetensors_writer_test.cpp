#include <gtest/gtest.h>

#include <filesystem>

#include "clmx/devices/error.hpp"
#include "clmx/host/atomic_folder.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/host/safetensors_writer.hpp"
#include "support/temp_folder.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

std::vector<std::byte> bytes(std::size_t count, int value) {
  return std::vector<std::byte>(count, static_cast<std::byte>(value));
}

const std::vector<TensorDeclaration> three = {
    {"words", "U32", {2, 3}}, {"halves", "BF16", {3}}, {"flags", "U8", {0}}};

TEST(SafetensorsWriter, TakesTensorsInPiecesAndInAnyOrder) {
  const TempFolder folder;
  const fs::path path = folder / "t.safetensors";
  SafetensorsWriter writer(path, three, {{"format", "mlx"}});
  writer.append("halves", bytes(2, 7));
  writer.append("words", bytes(24, 1));
  writer.append("halves", bytes(4, 9));
  EXPECT_FALSE(fs::exists(path));
  writer.commit();
  const SafetensorsFile file(path);
  EXPECT_EQ(file.metadata().at("format"), "mlx");
  EXPECT_EQ(file.array("words").to_vector<std::uint32_t>(),
            std::vector<std::uint32_t>(6, 0x01010101U));
  EXPECT_EQ(file.at("halves").bytes.bytes[1], std::byte{7});
  EXPECT_EQ(file.at("halves").bytes.bytes[2], std::byte{9});
  EXPECT_EQ(file.at("flags").shape, std::vector<std::int64_t>{0});
  EXPECT_EQ(file.at("words").file_offset % 8, 0U);
}

TEST(SafetensorsWriter, RefusesWhatWasNotDeclared) {
  const TempFolder folder;
  {
    SafetensorsWriter writer(folder / "t.safetensors", three);
    EXPECT_THROW(writer.append("letters", bytes(1, 0)), ArgumentError);
    EXPECT_THROW(writer.append("words", bytes(25, 0)), ArgumentError);
    writer.append("words", bytes(23, 0));
    EXPECT_THROW(writer.commit(), ArgumentError);
  }
  EXPECT_TRUE(fs::is_empty(folder.path())) << "an unfinished file is left";
}

TEST(SafetensorsWriter, RefusesImpossibleDeclarations) {
  const TempFolder folder;
  const std::vector<std::vector<TensorDeclaration>> impossible = {
      {{"a", "U7", {1}}},
      {{"a", "F32", {-1}}},
      {{"a", "F4", {3}}},
      {{"a", "F32", {1LL << 40, 1LL << 40}}},
      {{"a", "F32", {1}}, {"a", "F32", {1}}},
      {{"__metadata__", "F32", {1}}},
      {{"\xff", "F32", {1}}}};
  for (const auto& tensors : impossible) {
    EXPECT_THROW(SafetensorsWriter(folder / "t.safetensors", tensors), ArgumentError);
    EXPECT_TRUE(fs::is_empty(folder.path()));
  }
}

TEST(AtomicFolder, AppearsWithCommitAndLeavesNothingWithoutIt) {
  const TempFolder folder;
  const fs::path target = folder / "model";
  {
    const AtomicFolder unfinished(target, AtomicFolder::Existing::refuse);
    EXPECT_TRUE(fs::is_directory(unfinished.path()));
    EXPECT_FALSE(fs::exists(target));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  AtomicFolder whole(target, AtomicFolder::Existing::refuse);
  fs::create_directory(whole.path() / "inner");
  whole.commit();
  EXPECT_TRUE(fs::is_directory(target / "inner"));
  EXPECT_THROW(AtomicFolder(target, AtomicFolder::Existing::refuse), ArgumentError);
}

TEST(AtomicFolder, TwoForOneNameDoNotDisturbEachOther) {
  const TempFolder folder;
  const fs::path target = folder / "model";
  AtomicFolder first(target, AtomicFolder::Existing::refuse);
  AtomicFolder second(target, AtomicFolder::Existing::refuse);
  ASSERT_TRUE(fs::is_directory(first.path())) << "taken for one that a killed process left";
  ASSERT_TRUE(fs::is_directory(second.path()));
  first.commit();
  EXPECT_THROW(second.commit(), ArgumentError);
}

TEST(AtomicFolder, RemovesWhatKilledProcessesLeftAndPutsAnOldFolderBack) {
  const TempFolder folder;
  const fs::path target = folder / "model";
  fs::create_directories(folder / ".model.clmx-tmp-1-0");
  fs::create_directories(folder / ".other.clmx-tmp-1-0");
  fs::create_directories(folder / ".model.clmx-old");
  folder.write(".model.clmx-old/weights", "old");
  EXPECT_THROW(AtomicFolder(target, AtomicFolder::Existing::refuse), ArgumentError);
  EXPECT_EQ(content_of(target / "weights"), "old");
  AtomicFolder replacing(target, AtomicFolder::Existing::replace);
  EXPECT_FALSE(fs::exists(folder / ".model.clmx-tmp-1-0"));
  EXPECT_TRUE(fs::exists(folder / ".other.clmx-tmp-1-0"));
  replacing.commit();
  EXPECT_TRUE(fs::is_empty(target));
  EXPECT_FALSE(fs::exists(folder / ".model.clmx-old"));
}

TEST(AtomicFolder, ReplacesNoFile) {
  const TempFolder folder;
  const fs::path file = folder.write("model", "a file");
  EXPECT_THROW(AtomicFolder(file, AtomicFolder::Existing::replace), ArgumentError);
  EXPECT_EQ(content_of(file), "a file");
}

}  // namespace
}  // namespace clmx
