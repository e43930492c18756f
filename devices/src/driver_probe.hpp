#pragma once

#include <string>

#include "clmx/devices/doctor.hpp"

namespace clmx {

/// What a trial writes, a line for each fact, and back. Lines of the driver's own are left out.
std::string encode(const DriverProbe& probe);
DriverProbe decode_driver_probe(const std::string& text);

/// Tries the driver in a process of `program`.
DriverProbe probe_driver(const std::filesystem::path& program, const std::string& library);

}  // namespace clmx
