# Script mode: -DPROGRAM= -DSCRATCH= -DCHECK=DATA_RACES|UNINITIALIZED -DPRETEND= -DMOST_FLOPS= -DFILTER=
# [-DPRELOAD=]. Runs the small cases of ops on Oclgrind's device. It ends well whatever it finds, so its log
# decides. Bounds are always checked; the other two checks run apart because together they take one finding for
# another.
find_file(library liboclgrind-rt-icd.so PATHS /usr/lib /usr/lib64 /usr/local/lib /usr/local/lib64
          PATH_SUFFIXES oclgrind NO_CACHE)
if(NOT library)
  message("Oclgrind is not installed")
  return()
endif()
file(REMOVE_RECURSE "${SCRATCH}")
file(MAKE_DIRECTORY "${SCRATCH}/vendors")
file(WRITE "${SCRATCH}/vendors/oclgrind.icd" "${library}\n")
cmake_path(GET library PARENT_PATH folder)
set(log "${SCRATCH}/findings.log")

set(ENV{OCL_ICD_VENDORS} "${SCRATCH}/vendors")
set(ENV{LD_LIBRARY_PATH} "${folder}:$ENV{LD_LIBRARY_PATH}")
set(ENV{OCLGRIND_${CHECK}} 1)
set(ENV{OCLGRIND_LOG} "${log}")
set(ENV{CLMX_CACHE} off)
set(ENV{CLMX_TEST_DEVICES} all)
set(ENV{CLMX_TEST_MOST_FLOPS} "${MOST_FLOPS}")
set(ENV{CLMX_PRETEND} "${PRETEND}")
if(CHECK STREQUAL "UNINITIALIZED")
  # At LLVM's `freeze`, which its optimiser puts in, this check ends a kernel before it has written its result.
  set(ENV{OCLGRIND_BUILD_OPTIONS} -cl-opt-disable)
endif()
set(ENV{LD_PRELOAD} "${PRELOAD}")
# The report counts and not the exit status: Oclgrind 21.10 corrupts the heap in calls after main, because what
# it keeps of a thread is gone before the handlers of exit run, in which clmx waits for its streams.
execute_process(COMMAND "${PROGRAM}" --gtest_brief=1 "--gtest_filter=${FILTER}"
                OUTPUT_VARIABLE report ECHO_OUTPUT_VARIABLE)
if(NOT report MATCHES "\\[  PASSED  \\] [1-9]" OR report MATCHES "\\[  FAILED  \\]")
  message(FATAL_ERROR "the cases failed on Oclgrind's device")
endif()
set(findings "")
if(EXISTS "${log}")
  file(READ "${log}" findings)
endif()
if(findings)
  message(FATAL_ERROR "${findings}")
endif()
