#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include "clmx/devices/error.hpp"
#include "support/temp_folder.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto files = std::to_array<KernelSource>(
    {{"a.cl", "int a1;\n# include \"common/b.clh\"\n#include \"common/c.clh\"\nint a4;"},
     {"common/b.clh", "#include \"common/c.clh\"\nint b2;\n"},
     {"common/c.clh", "int c1;\n"},
     {"lost.cl", "#include \"gone.clh\"\n"},
     {"outside.cl", "#include \"../secret.clh\"\n"},
     {"circle.cl", "#include \"circle.cl\"\nint x;\n"}});
constexpr KernelLibrary library{"flat", files};

TEST(FlattenSource, PutsEachIncludeInOnceAndMarksLines) {
  const FlatSource flat = flatten_source(library, "a.cl");
  EXPECT_EQ(flat.text,
            "#line 1 \"a.cl\"\nint a1;\n"
            "#line 1 \"common/b.clh\"\n#line 1 \"common/c.clh\"\nint c1;\n"
            "#line 2 \"common/b.clh\"\nint b2;\n"
            "#line 3 \"a.cl\"\n#line 4 \"a.cl\"\nint a4;\n");
  EXPECT_THAT(flat.files_used, ElementsAre("a.cl", "common/b.clh", "common/c.clh"));
}

TEST(FlattenSource, EndsOnAFileThatIncludesItself) {
  EXPECT_THAT(flatten_source(library, "circle.cl").text, HasSubstr("int x;"));
}

TEST(FlattenSource, NamesAMissingFileAndWhoWantsIt) {
  const std::string message =
      message_of<KernelBuildError>([] { flatten_source(library, "lost.cl"); });
  EXPECT_THAT(message, HasSubstr("gone.clh"));
  EXPECT_THAT(message, HasSubstr("lost.cl"));
  EXPECT_THROW(flatten_source(library, "none.cl"), KernelBuildError);
}

TEST(FlattenSource, ReadsFromTheKernelFolderWhenAsked) {
  const TempFolder folder;
  folder.write("lost.cl", "int from_disk;\n");
  ::setenv("CLMX_KERNEL_DIR", folder.path().c_str(), 1);
  EXPECT_THAT(flatten_source(library, "lost.cl").text, HasSubstr("from_disk"));
  EXPECT_THROW(flatten_source(library, "outside.cl"), KernelBuildError);
  ::unsetenv("CLMX_KERNEL_DIR");
}

}  // namespace
}  // namespace clmx
