#pragma once

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace clmx {

/// Base of every error that clmx throws. The library never prints, exits or aborts.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A wrong shape, dtype or parameter. Thrown at the call, before anything is enqueued.
class ArgumentError : public Error {
 public:
  using Error::Error;
};

/// A selector that matches no device; the message lists the candidates.
class DeviceNotFound : public Error {
 public:
  using Error::Error;
};

/// An OpenCL call that failed. The message names call, symbolic code and device.
class DeviceError : public Error {
 public:
  DeviceError(const std::string& message, std::string call, int code, std::string device)
      : Error(message), call_(std::move(call)), code_(code), device_(std::move(device)) {}
  const std::string& call() const { return call_; }
  /// The OpenCL status, e.g. -5 for CL_OUT_OF_RESOURCES; 0 when the failure has none.
  int code() const { return code_; }
  const std::string& device() const { return device_; }

 private:
  std::string call_;
  int code_;
  std::string device_;
};

/// Host or device memory is exhausted, or a limit of the device would be exceeded.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

/// A kernel that does not compile. The message holds file, options and the compiler's log.
class KernelBuildError : public Error {
 public:
  KernelBuildError(const std::string& message, std::string file, std::string options,
                   std::string log)
      : Error(message),
        file_(std::move(file)),
        options_(std::move(options)),
        log_(std::move(log)) {}
  const std::string& file() const { return file_; }
  const std::string& options() const { return options_; }
  const std::string& log() const { return log_; }

 private:
  std::string file_, options_, log_;
};

/// A model or data file that is missing, cut off, inconsistent or of an unsupported kind.
class FormatError : public Error {
 public:
  /// offset: where in the file, in bytes; 0 when the reason is not tied to a place.
  FormatError(std::string file, std::uint64_t offset, const std::string& reason)
      : Error(file + (offset ? " at byte " + std::to_string(offset) : "") + ": " + reason),
        file_(std::move(file)),
        offset_(offset),
        reason_(reason) {}
  const std::string& file() const { return file_; }
  std::uint64_t offset() const { return offset_; }
  const std::string& reason() const { return reason_; }

 private:
  std::string file_;
  std::uint64_t offset_;
  std::string reason_;
};

/// The parts written one after the other, as by operator<<.
template <class... Parts>
std::string join(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws ArgumentError "[op] parts..." unless the condition holds; the parts are joined only then.
template <class... Parts>
void require(bool condition, std::string_view op, const Parts&... parts) {
  if (!condition) throw ArgumentError(join('[', op, "] ", parts...));
}

}  // namespace clmx
