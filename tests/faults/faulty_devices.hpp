#pragma once

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/devices/failure.hpp"
#include "clmx/host/array.hpp"
#include "devices/test_kernels.hpp"
#include "fake_opencl/control.hpp"

namespace clmx {

using testing::HasSubstr;

/// On three devices of the fake driver: a CPU and an accelerator that wrap host memory, a GPU that
/// copies. Each test starts with devices that behave.
class FaultyDevices : public testing::Test {
 protected:
  static constexpr const char *cpu_name = "Fake cpu", *gpu_name = "Fake gpu",
                              *accelerator_name = "Fake accelerator";

  static const fake::Control& driver() {
    static const auto* const control = [] {
      void* const library = dlopen(CLMX_FAKE_OPENCL, RTLD_NOW | RTLD_NOLOAD);
      void* const entry = library ? dlsym(library, "fake_opencl_control") : nullptr;
      if (entry == nullptr) throw Error("the fake driver is not the one in use");
      return reinterpret_cast<const fake::Control* (*)()>(entry)();
    }();
    return *control;
  }
  static Device device(std::string_view name) {
    for (const Device& each : Device::all()) {
      if (each.info().name == name) return each;
    }
    throw Error("no such fake device");
  }

  void SetUp() override {
    for (const char* name : {cpu_name, gpu_name, accelerator_name}) {
      device(name).wraps_host_memory();  // probed before anything goes wrong
    }
  }
  void TearDown() override {
    driver().fail("", 0, 0);
    for (const char* name : {cpu_name, gpu_name, accelerator_name}) {
      driver().answer(name);
      driver().hang(name, false);
      driver().lie(name, false);
      // A default stream learns of a loss when it is used.
      message_of<DeviceError>([&] { device(name).default_stream().synchronize(); });
    }
    set_hang_limit(std::chrono::milliseconds(0));
  }

  static Array on_host() { return Array::from(counting(64), {64}); }
  /// 2 x, computed on the stream.
  static Array doubled(const Array& x, const Stream& stream) {
    Array out = Array::empty(x.shape(), DType::f32, stream);
    stream.launch(scale_kernel(stream.device()), Grid::linear(64, 64), x.on(stream), out.on(stream),
                  64U);
    return out;
  }
  static std::vector<float> wanted() { return scaled(counting(64), 2); }
};

}  // namespace clmx
