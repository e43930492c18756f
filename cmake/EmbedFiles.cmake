# clmx_embed_files(target folder header): writes a source that holds every file below the folder as bytes, which
# the assembler reads in when it is compiled, and defines embedded_files() of `header`. New files are found
# by a re-checked glob, changed ones by a dependency.
function(clmx_embed_files target folder header)
  file(GLOB_RECURSE names CONFIGURE_DEPENDS RELATIVE "${folder}" "${folder}/*")
  set(assembly "")
  set(declarations "")
  set(entries "")
  set(paths "")
  set(number 0)
  foreach(name IN LISTS names)
    set(symbol "clmx_embedded_${number}")
    string(APPEND assembly
      "asm(\".section .rodata\\n.balign 64\\n${symbol}:\\n.incbin \\\"${folder}/${name}\\\"\\n${symbol}_end:\\n.byte 0\\n.previous\\n\");\n")
    string(APPEND declarations "extern const std::byte ${symbol}[];\nextern const std::byte ${symbol}_end[];\n")
    string(APPEND assembly "asm(\".globl ${symbol}\\n.globl ${symbol}_end\\n.hidden ${symbol}\\n.hidden ${symbol}_end\\n\");\n")
    string(APPEND entries "      {\"${name}\", {${symbol}, ${symbol}_end}},\n")
    list(APPEND paths "${folder}/${name}")
    math(EXPR number "${number} + 1")
  endforeach()
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${target}_embedded_files.cpp")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT [=[
// Generated.
#include "@header@"

@assembly@
extern "C" {
@declarations@}

namespace clmx {
std::vector<EmbeddedFile> embedded_files() {
  return {
@entries@  };
}
}  // namespace clmx
]=])
  set_source_files_properties("${source}" PROPERTIES OBJECT_DEPENDS "${paths}")
  target_sources(${target} PRIVATE "${source}")
endfunction()
