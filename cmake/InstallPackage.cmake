# Install rules and the CMake package: find_package(clmx) gives clmx::devices, clmx::host, clmx::nn and
# clmx::clmx, which links the three.
include(CMakePackageConfigHelpers)

add_library(clmx_clmx INTERFACE)
add_library(clmx::clmx ALIAS clmx_clmx)
set_target_properties(clmx_clmx PROPERTIES EXPORT_NAME clmx)
foreach(layer devices host nn)
  if(TARGET clmx_${layer})
    list(APPEND CLMX_LAYERS clmx_${layer})
  endif()
endforeach()
target_link_libraries(clmx_clmx INTERFACE ${CLMX_LAYERS})

# The layers are static, so an installed one names what its objects need; clmxConfig.cmake finds these again.
target_link_libraries(clmx_devices INTERFACE $<INSTALL_INTERFACE:PkgConfig::XXHASH>)
if(TARGET clmx_nn)
  target_link_libraries(clmx_nn INTERFACE $<INSTALL_INTERFACE:PkgConfig::PCRE2>)
endif()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/clmx")
install(TARGETS ${CLMX_LAYERS} clmx_clmx EXPORT clmxTargets
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT clmxTargets NAMESPACE clmx:: DESTINATION "${package_dir}")
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/clmxConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/clmxConfig.cmake" INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/clmxConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/clmxConfig.cmake" "${PROJECT_BINARY_DIR}/clmxConfigVersion.cmake"
        DESTINATION "${package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md"
        DESTINATION "${CMAKE_INSTALL_DOCDIR}")
if(TARGET clmx_cli)
  install(TARGETS clmx_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
