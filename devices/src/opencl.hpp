#pragma once

// The one include of OpenCL's C++ wrapper. Version 1.2 is all that is called, so that a driver of
// that version has every function; no exceptions, so that every failure passes check().
#define CL_HPP_TARGET_OPENCL_VERSION 120
#define CL_HPP_MINIMUM_OPENCL_VERSION 120
#include <CL/opencl.hpp>
