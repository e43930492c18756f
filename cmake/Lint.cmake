# `cmake --build build --target lint`: format, clang-tidy, and the rules of the house that no tool knows.
find_program(CLMX_CLANG_FORMAT clang-format)
find_program(CLMX_CLANG_TIDY clang-tidy)
find_program(CLMX_RUN_CLANG_TIDY run-clang-tidy)
if(NOT CLMX_CLANG_FORMAT OR NOT CLMX_CLANG_TIDY OR NOT CLMX_RUN_CLANG_TIDY)
  return()
endif()

set(CLMX_CODE_FOLDERS devices host nn tests bench)
list(TRANSFORM CLMX_CODE_FOLDERS PREPEND "${PROJECT_SOURCE_DIR}/" OUTPUT_VARIABLE roots)
set(patterns "${roots}")
list(TRANSFORM patterns APPEND "/*.hpp")
foreach(root IN LISTS roots)
  list(APPEND patterns "${root}/*.cpp")
endforeach()
file(GLOB_RECURSE CLMX_CODE CONFIGURE_DEPENDS ${patterns})

list(JOIN CLMX_CODE_FOLDERS "|" folders)
add_custom_target(lint
  COMMAND "${CMAKE_COMMAND}" -DROOT=${PROJECT_SOURCE_DIR} -P "${PROJECT_SOURCE_DIR}/cmake/CheckSources.cmake"
  COMMAND "${CLMX_CLANG_FORMAT}" --dry-run -Werror ${CLMX_CODE}
  COMMAND "${CLMX_RUN_CLANG_TIDY}" -quiet -clang-tidy-binary "${CLMX_CLANG_TIDY}" -p "${PROJECT_BINARY_DIR}"
          "^${PROJECT_SOURCE_DIR}/(${folders})/"
  COMMENT "Linting" VERBATIM USES_TERMINAL)
