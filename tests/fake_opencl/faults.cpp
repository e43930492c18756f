#include "faults.hpp"

#include <cstdlib>
#include <sstream>
#include <string_view>

#include "api.hpp"

namespace fake {
namespace {

std::atomic<const char*> failing_call{nullptr};
std::atomic<cl_int> failing_code{CL_SUCCESS};
std::atomic<int> failures_left{0};

void fail(const char* call, int code, int times) {
  failures_left.store(0, std::memory_order_relaxed);
  failing_call.store(call, std::memory_order_relaxed);
  failing_code.store(code, std::memory_order_relaxed);
  failures_left.store(times, std::memory_order_relaxed);
}

template <class Tell>
void tell(std::string_view name, Tell told) {
  for (const cl_device_id device : all_devices()) {
    if (device->name == name) told(device->misbehaviour);
  }
}

void lose(const char* device) {
  tell(device, [](Misbehaviour& told) {
    told.gone.store(true, std::memory_order_relaxed);
    told.losses.fetch_add(1, std::memory_order_relaxed);
  });
}

void answer(const char* device) {
  tell(device, [](Misbehaviour& told) { told.gone.store(false, std::memory_order_relaxed); });
}

void hang(const char* device, bool hangs) {
  tell(device, [=](Misbehaviour& told) { told.hangs.store(hangs, std::memory_order_relaxed); });
}

void lie(const char* device, bool lies) {
  tell(device, [=](Misbehaviour& told) { told.lies.store(lies, std::memory_order_relaxed); });
}

}  // namespace

std::vector<std::string> device_names() {
  const char* const value = std::getenv("FAKE_OPENCL_DEVICES");
  std::istringstream in(value == nullptr || *value == 0 ? "cpu" : value);
  std::vector<std::string> names;
  for (std::string name; std::getline(in, name, ',');) names.push_back(name);
  return names;
}

cl_int fault(const char* call) {
  if (failures_left.load(std::memory_order_relaxed) <= 0) return CL_SUCCESS;
  const char* const failing = failing_call.load(std::memory_order_relaxed);
  if (failing == nullptr || std::string_view(failing) != call) return CL_SUCCESS;
  if (failures_left.fetch_sub(1, std::memory_order_relaxed) <= 0) return CL_SUCCESS;
  return failing_code.load(std::memory_order_relaxed);
}

const Control& control() {
  static constexpr Control all{fail, lose, answer, hang, lie};
  return all;
}

}  // namespace fake
