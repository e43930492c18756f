# Script mode, see CMakeLists.txt. The install goes through DESTDIR and is then used from where it lies,
# so a path of the build tree in the package would be noticed.
set(stage "${SCRATCH}/stage")
set(build "${SCRATCH}/build")
file(REMOVE_RECURSE "${SCRATCH}")

macro(step)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}")
  endif()
endmacro()

set(flags "")
if(SANITIZE)
  set(flags "-fsanitize=${SANITIZE}")
endif()
set(ENV{DESTDIR} "${stage}")
step("${CMAKE_COMMAND}" --install "${BUILD}" --prefix /opt/clmx)
set(ENV{DESTDIR} "")
step("${CMAKE_COMMAND}" -S "${CONSUMER}" -B "${build}" -G "${GENERATOR}"
     "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${flags}"
     "-DCMAKE_PREFIX_PATH=${stage}/opt/clmx")
step("${CMAKE_COMMAND}" --build "${build}")
step("${build}/consumer")
