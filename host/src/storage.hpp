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

  /// The bytes [begin, begin + bytes) on a device: in `buffer`, from `at` on.
  struct Place {
    Buffer buffer;
    std::size_t at = 0;
  };
  /// In the replica on the stream's device, made if need be; later work on the stream sees the
  /// written bytes. A replica holds everything, or where that is more than the device's largest
  /// allocation just these bytes, so that a view of some rows works there.
  enum class Asked { by_use, explicitly };  ///< the second may copy when transfers are denied
  Place on(const Stream& stream, std::size_t begin, std::size_t bytes, Asked asked = Asked::by_use);
  /// As on(), but exactly these bytes, and a copy made for it is the caller's alone: the next use
  /// makes another.
  Place once_on(const Stream& stream, std::size_t begin, std::size_t bytes, Asked asked);
  /// As on(), but nothing where the bytes would have to be copied for it.
  std::optional<Place> held_on(const Stream& stream, std::size_t begin, std::size_t bytes);
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
    std::size_t begin = 0;         // of the bytes that it holds
  };
  std::size_t size() const;
  Replica* find(const Device& device, std::size_t begin, std::size_t bytes);
  Replica& source(std::size_t begin, std::size_t bytes);
  Replica source_to_read(std::size_t begin, std::size_t bytes);
  void drop_lost();
  void order(Replica& replica, const Stream& reader);
  /// A new replica of the bytes on the stream's device, which has none.
  Replica& copy_to(const Stream& stream, std::size_t begin, std::size_t bytes, Asked asked);
  /// A new replica with a copy of the bytes, for `stream` to read.
  Replica& write_copy(const Stream& stream, std::size_t begin, std::span<const std::byte> bytes);
  Replica& copy_from_host(const Stream& stream, std::size_t begin, std::size_t bytes);
  void require_transfers(const Stream& stream, std::size_t bytes);
  Replica& copy_from_device(const Stream& stream, std::size_t begin, std::size_t bytes);

  std::mutex mutex_;
  std::optional<HostBytes> host_;
  std::vector<Replica> replicas_;  // the first is the one that was written, unless host_ is there
};

}  // namespace clmx
