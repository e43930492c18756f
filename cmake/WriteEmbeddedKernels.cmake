# Script mode: -DROOT= -DFILES=a|b|c -DOUTPUT=. Writes the files' bytes as C++ arrays.
string(REPLACE "|" ";" files "${FILES}")
set(arrays "")
set(table "")
set(index 0)
foreach(file IN LISTS files)
  file(READ "${ROOT}/${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "constexpr unsigned char file_${index}[] = {${bytes}0};\n")
  string(APPEND table "    {\"${file}\", {reinterpret_cast<const char*>(file_${index}), sizeof(file_${index}) - 1}},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE "${OUTPUT}.tmp" "// Generated from cl/ by WriteEmbeddedKernels.cmake.
#include \"kernel_library.hpp\"

namespace clmx {
namespace {
${arrays}
const KernelSource table[] = {
${table}};
}  // namespace

const KernelLibrary& kernels() {
  static const KernelLibrary library{\"clmx\", table};
  return library;
}
}  // namespace clmx
")
file(RENAME "${OUTPUT}.tmp" "${OUTPUT}")
