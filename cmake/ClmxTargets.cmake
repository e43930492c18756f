# How every clmx target is built: language level, warnings, sanitizers, and the two kinds of target.
add_library(clmx_build_flags INTERFACE)
target_compile_features(clmx_build_flags INTERFACE cxx_std_20)
target_compile_options(clmx_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  $<$<BOOL:${CLMX_WERROR}>:-Werror>
  # The references and the host side of bit-exact formats must round as written.
  -ffp-contract=off)
if(CLMX_SANITIZE)
  target_compile_options(clmx_build_flags INTERFACE
    -fsanitize=${CLMX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(clmx_build_flags INTERFACE -fsanitize=${CLMX_SANITIZE})
endif()

# clmx_library(name): an exported layer. Headers below include/ are public, sources below src/ private.
function(clmx_library name)
  set(target clmx_${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/*.cpp")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/include/*.hpp")
  add_library(${target} STATIC ${sources})
  add_library(clmx::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON
                        VERIFY_INTERFACE_HEADER_SETS ON)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_sources(${target} PUBLIC FILE_SET HEADERS
                 BASE_DIRS "${CMAKE_CURRENT_SOURCE_DIR}/include" FILES ${headers})
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:clmx_build_flags>)
endfunction()
