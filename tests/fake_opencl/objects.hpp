#pragma once

#include <CL/cl_icd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

/// A driver for tests: OpenCL 1.2 as far as clmx calls it, kernels being the C++ functions of
/// kernels.cpp. It holds no lock and orders threads no more than OpenCL promises, so that the
/// thread sanitizer sees every order that clmx itself forgets; it also fails on request, see
/// faults.hpp.
namespace fake {

cl_icd_dispatch& dispatch();

/// Every object starts with the dispatch table, as the loader requires.
struct Object {
  explicit Object(std::atomic<int>* live) : live_count(live) {
    if (live_count != nullptr) live_count->fetch_add(1, std::memory_order_relaxed);
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object() {
    if (live_count != nullptr) live_count->fetch_sub(1, std::memory_order_relaxed);
  }
  void retain() { references.fetch_add(1, std::memory_order_relaxed); }
  bool release() { return references.fetch_sub(1, std::memory_order_acq_rel) == 1; }

  cl_icd_dispatch* table = &dispatch();
  std::atomic<int> references{1};
  std::atomic<int>* live_count;
};

template <class T>
cl_int release(T* object) {
  if (object->release()) delete object;
  return CL_SUCCESS;
}

/// Objects alive, by kind, for tests of leaks.
struct Live {
  std::atomic<int> contexts{0}, queues{0}, memories{0}, programs{0}, kernels{0}, events{0};
};
Live& live();

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
struct _cl_platform_id : fake::Object {
  _cl_platform_id() : Object(nullptr) {}
};

struct _cl_device_id : fake::Object {
  explicit _cl_device_id(cl_device_type device_type, std::string device_name)
      : Object(nullptr), type(device_type), name(std::move(device_name)) {}
  cl_device_type type;
  std::string name;
};

struct _cl_context : fake::Object {
  explicit _cl_context(cl_device_id of) : Object(&fake::live().contexts), device(of) {}
  cl_device_id device;
};

struct _cl_mem : fake::Object {
  _cl_mem(std::size_t size, void* host)
      : Object(&fake::live().memories),
        bytes(size),
        owned(host != nullptr ? nullptr : new std::byte[size]),
        data(host != nullptr ? static_cast<std::byte*>(host) : owned) {}
  ~_cl_mem() { delete[] owned; }
  std::size_t bytes;
  std::byte* owned;
  std::byte* data;
};

struct _cl_program : fake::Object {
  _cl_program(cl_context of, std::string text)
      : Object(&fake::live().programs), context(of), source(std::move(text)) {}
  cl_context context;
  std::string source, options;
};

struct _cl_event : fake::Object {
  _cl_event() : Object(&fake::live().events) {}
  std::atomic<cl_int> status{CL_QUEUED};
  std::uint64_t queued = 0, start = 0, end = 0;  // written before `status` says complete
};
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
