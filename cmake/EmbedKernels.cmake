# clmx_embed_kernels(target): writes every cl/*.cl and cl/common/*.clh into one generated source of
# `target`, as the table behind clmx::kernels(). New files are found again by the re-checked glob.
function(clmx_embed_kernels target)
  set(root "${PROJECT_SOURCE_DIR}/cl")
  file(GLOB_RECURSE files RELATIVE "${root}" CONFIGURE_DEPENDS "${root}/*.cl" "${root}/*.clh")
  list(SORT files)
  set(paths ${files})
  list(TRANSFORM paths PREPEND "${root}/")
  set(output "${CMAKE_CURRENT_BINARY_DIR}/embedded_kernels.cpp")
  list(JOIN files "|" names)
  add_custom_command(
    OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" -DROOT=${root} "-DFILES=${names}" -DOUTPUT=${output}
            -P "${PROJECT_SOURCE_DIR}/cmake/WriteEmbeddedKernels.cmake"
    DEPENDS ${paths} "${PROJECT_SOURCE_DIR}/cmake/WriteEmbeddedKernels.cmake"
    COMMENT "Embedding OpenCL kernels" VERBATIM)
  target_sources(${target} PRIVATE "${output}")
endfunction()
