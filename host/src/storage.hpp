#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "clmx/host/array.hpp"

namespace clmx {

/// The bytes behind arrays: host bytes, or what a stream wrote, and one replica per further device
/// that used them. What it holds never changes, so a replica, once there, stays valid.
class Storage {
 public:
  Storage(HostBytes host) : host_(std::move(host)) {}  // NOLINT(google-explicit-constructor)
  Storage(const Buffer& buffer, const Stream& writer);

  /// The replica on the stream's device, made if need be; later work on the stream sees the written
  /// bytes.
  Buffer on(const Stream& stream);
  void read(std::size_t offset, std::span<std::byte> to);
  HostBytes map(std::size_t offset, std::size_t bytes, const std::shared_ptr<Storage>& self);
  bool ready();
  void wait();
  std::optional<Device> home();
  bool holds_host_bytes() const { return host_.has_value(); }

 private:
  struct Replica {
    Buffer buffer;
    Stream writer;
    std::optional<Event> written;  // recorded when another stream first needs it
  };
  Replica* find(const Device& device);
  Replica written_one();
  void order(Replica& replica, const Stream& reader);
  Replica& copy_from_host(const Stream& stream);
  Replica& copy_from_device(const Stream& stream);

  std::mutex mutex_;
  std::optional<HostBytes> host_;
  std::vector<Replica> replicas_;  // the first is the one that was written, unless host_ is there
};

}  // namespace clmx
