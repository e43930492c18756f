#pragma once

#include <CL/cl_icd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "faults.hpp"

/// A driver for tests: OpenCL 1.2 as far as clmx calls it, kernels being the C++ functions of
/// kernels.cpp. It holds no lock and orders threads no more than OpenCL promises, so that the
/// thread sanitizer sees every order that clmx itself forgets; it also fails on request, see
/// control.hpp.
namespace fake {

cl_icd_dispatch& dispatch();

/// Every object starts with the dispatch table, as the loader requires.
struct Object {
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  void retain() { references.fetch_add(1, std::memory_order_relaxed); }
  bool release() { return references.fetch_sub(1, std::memory_order_acq_rel) == 1; }

  cl_icd_dispatch* table = &dispatch();
  std::atomic<int> references{1};
};

template <class T>
cl_int release(T* object) {
  if (object->release()) delete object;
  return CL_SUCCESS;
}

/// One counted reference.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) {
    if (object_ != nullptr) object_->retain();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(other.object_) { other.object_ = nullptr; }
  Ref& operator=(const Ref&) = delete;
  ~Ref() {
    if (object_ != nullptr) fake::release(object_);
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }

 private:
  T* object_ = nullptr;
};

}  // namespace fake

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): OpenCL's names
struct _cl_platform_id : fake::Object {};

struct _cl_device_id : fake::Object {
  explicit _cl_device_id(cl_device_type device_type, std::string device_name)
      : type(device_type), name(std::move(device_name)) {}
  cl_device_type type;
  std::string name;
  fake::Misbehaviour misbehaviour;
};

struct _cl_context : fake::Object {
  explicit _cl_context(cl_device_id of) : device(of) {}
  cl_device_id device;
};

struct _cl_mem : fake::Object {
  _cl_mem(std::size_t size, void* host)
      : bytes(size),
        owned(host != nullptr ? nullptr : new std::byte[size]),
        data(host != nullptr ? static_cast<std::byte*>(host) : owned) {}
  ~_cl_mem() { delete[] owned; }
  std::size_t bytes;
  std::byte* owned;
  std::byte* data;
};

struct _cl_program : fake::Object {
  _cl_program(cl_context of, std::string text) : context(of), source(std::move(text)) {}
  cl_context context;
  std::string source, options;
};

/// Calls back from the queue's thread, or at once what has been reached.
struct _cl_event : fake::Object {
  struct Callback {
    cl_int stage;
    void(CL_CALLBACK* call)(cl_event, cl_int, void*);
    void* data;
  };
  struct Slot {
    std::atomic<Callback*> callback{nullptr};
    std::atomic<bool> called{false};
  };
  ~_cl_event() {
    for (Slot& slot : slots) delete slot.callback;
  }
  /// False when it holds as many as it can.
  bool add(const Callback& callback);
  void reach(cl_int stage);
  void call_back(cl_int stage);

  std::atomic<cl_int> status{CL_QUEUED};
  std::array<Slot, 4> slots;
  std::uint64_t queued = 0, start = 0, end = 0;  // written before `status` says complete
};
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
