#pragma once

namespace fake {

/// What tests tell the driver while it runs. The library exports `const Control*
/// fake_opencl_control()`. A device is named as CL_DEVICE_NAME says, e.g. "Fake gpu".
struct Control {
  /// The next `times` of the call (a literal such as "clCreateBuffer") return the code.
  void (*fail)(const char* call, int code, int times);
  /// Every queue of the device is lost with what it has not executed; it makes no new ones until
  /// `answer`.
  void (*lose)(const char* device);
  void (*answer)(const char* device);
  /// The device begins no command while it hangs.
  void (*hang)(const char* device, bool hangs);
  /// The device says of its commands that they started before they were enqueued.
  void (*lie)(const char* device, bool lies);
};

}  // namespace fake
