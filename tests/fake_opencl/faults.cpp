#include "faults.hpp"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <sstream>

namespace fake {
namespace {

struct Fault {
  std::string call;
  std::uint64_t at = 0;
  bool sticky = false;
  cl_int code = 0;
  std::atomic<std::uint64_t> calls{0};
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const std::string value = variable(name);
  return value.empty() ? otherwise : std::strtoull(value.c_str(), nullptr, 10);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

Settings read_settings() {
  Settings read;
  const std::string devices = variable("FAKE_OPENCL_DEVICES");
  read.devices = split(devices.empty() ? "cpu" : devices == "none" ? "" : devices, ',');
  read.lose_at = number("FAKE_OPENCL_LOSE_AT", 0);
  read.hang_at = number("FAKE_OPENCL_HANG_AT", 0);
  read.timer = number("FAKE_OPENCL_TIMER", 1);
  read.subgroups = number("FAKE_OPENCL_SUBGROUPS", 0);
  read.memory = number("FAKE_OPENCL_MEMORY", std::uint64_t{1} << 30);
  read.lies = number("FAKE_OPENCL_LIES", 0) != 0;
  return read;
}

std::vector<std::unique_ptr<Fault>> read_faults() {
  std::vector<std::unique_ptr<Fault>> faults;
  for (const std::string& text : split(variable("FAKE_OPENCL_FAIL"), ',')) {
    const std::vector<std::string> parts = split(text, ':');
    if (parts.size() != 3) continue;
    auto fault = std::make_unique<Fault>();
    fault->call = parts[0];
    fault->at = std::strtoull(parts[1].c_str(), nullptr, 10);
    fault->sticky = parts[1].ends_with('+');
    fault->code = std::atoi(parts[2].c_str());
    faults.push_back(std::move(fault));
  }
  return faults;
}

std::atomic<std::uint64_t> executed{0};
std::atomic<bool> device_lost{false};

}  // namespace

const Settings& settings() {
  static const Settings read = read_settings();
  return read;
}

cl_int fault(const char* call) {
  static const auto faults = read_faults();
  for (const auto& fault : faults) {
    if (fault->call != call) continue;
    const std::uint64_t count = fault->calls.fetch_add(1, std::memory_order_relaxed) + 1;
    if (count == fault->at || (fault->sticky && count > fault->at)) return fault->code;
  }
  return CL_SUCCESS;
}

Fate next_fate() {
  const std::uint64_t count = executed.fetch_add(1, std::memory_order_relaxed) + 1;
  if (count == settings().hang_at) return Fate::hangs;
  if (count == settings().lose_at) device_lost.store(true, std::memory_order_relaxed);
  return lost() ? Fate::fails : Fate::runs;
}

bool lost() {
  return device_lost.load(std::memory_order_relaxed);
}

}  // namespace fake
