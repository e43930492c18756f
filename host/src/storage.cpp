#include "storage.hpp"

#include <algorithm>
#include <cstring>

#include "clmx/devices/failure.hpp"
#include "clmx/devices/passage.hpp"
#include "device_transfers.hpp"

namespace clmx {
namespace {

// Read once: a process does not change its mind about transfers.
bool transfers_denied() {
  static const bool denied =
      environment("CLMX_TRANSFERS") == "deny" || environment("CLMX_STRICT").value_or("0") != "0";
  return denied;
}

}  // namespace

Storage::Storage(const Buffer& buffer, const Stream& writer) {
  replicas_.push_back({buffer, writer, std::nullopt});
}

std::size_t Storage::size() const {
  return host_ ? host_->bytes.size() : replicas_.front().buffer.size();
}

// What a stream that died was to write may not be there.
Storage::Replica* Storage::find(const Device& device, std::size_t begin, std::size_t bytes) {
  for (Replica& replica : replicas_) {
    const bool holds =
        replica.begin <= begin && begin + bytes <= replica.begin + replica.buffer.size();
    if (holds && replica.writer.device() == device && is_alive(replica.writer)) return &replica;
  }
  return nullptr;
}

// The one that was written; when its device is lost, another that holds the bytes. With the mutex
// held.
Storage::Replica& Storage::source(std::size_t begin, std::size_t bytes) {
  for (const Replica& replica : replicas_) {
    if (Replica* const found = find(replica.writer.device(), begin, bytes)) return *found;
  }
  return replicas_.front();
}

Storage::Replica Storage::source_to_read(std::size_t begin, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  return source(begin, bytes);
}

// The first one tells size and home of what a device wrote.
void Storage::drop_lost() {
  const auto first = replicas_.begin() + (host_ || replicas_.empty() ? 0 : 1);
  const auto lost = [](const Replica& replica) { return !is_alive(replica.writer); };
  replicas_.erase(std::remove_if(first, replicas_.end(), lost), replicas_.end());
}

// The event stands behind the write because the write was enqueued before the array could be handed
// on.
void Storage::order(Replica& replica, const Stream& reader) {
  if (replica.writer == reader) return;
  if (!replica.written) replica.written = replica.writer.record();
  reader.wait(*replica.written);
}

Storage::Place Storage::on(const Stream& stream, std::size_t begin, std::size_t bytes,
                           Asked asked) {
  const std::lock_guard lock(mutex_);
  Replica* replica = find(stream.device(), begin, bytes);
  if (!replica) {
    const bool whole = size() <= stream.device().info().max_allocation_bytes;
    replica = &copy_to(stream, whole ? 0 : begin, whole ? size() : bytes, asked);
  }
  order(*replica, stream);
  return {replica->buffer, begin - replica->begin};
}

Storage::Place Storage::once_on(const Stream& stream, std::size_t begin, std::size_t bytes,
                                Asked asked) {
  const std::lock_guard lock(mutex_);
  Replica* replica = find(stream.device(), begin, bytes);
  const bool held = replica != nullptr;
  if (!held) replica = &copy_to(stream, begin, bytes, asked);
  order(*replica, stream);
  Place place{replica->buffer, begin - replica->begin};
  if (!held) replicas_.pop_back();
  return place;
}

Storage::Replica& Storage::copy_to(const Stream& stream, std::size_t begin, std::size_t bytes,
                                   Asked asked) {
  drop_lost();
  if (!host_ && asked == Asked::by_use && is_alive(source(begin, bytes).writer))
    require_transfers(stream, bytes);
  return host_ ? copy_from_host(stream, begin, bytes) : copy_from_device(stream, begin, bytes);
}

std::optional<Storage::Place> Storage::held_on(const Stream& stream, std::size_t begin,
                                               std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    const bool wraps = host_ && bytes > 0 && stream.device().wraps_host_memory();
    if (!wraps && !find(stream.device(), begin, bytes)) return std::nullopt;
  }
  return on(stream, begin, bytes);
}

Storage::Replica& Storage::write_copy(const Stream& stream, std::size_t begin,
                                      std::span<const std::byte> bytes) {
  const Buffer buffer = Buffer::allocate_unpooled(stream.device(), bytes.size());
  const Stream way = way_in(stream, bytes.size());
  way.write(buffer, 0, bytes);
  replicas_.push_back({buffer, way, std::nullopt, begin});
  // What took another way has arrived.
  if (!(way == stream)) replicas_.back().written = Event();
  return replicas_.back();
}

Storage::Replica& Storage::copy_from_host(const Stream& stream, std::size_t begin,
                                          std::size_t bytes) {
  const Device device = stream.device();
  const std::span<const std::byte> part = host_->bytes.subspan(begin, bytes);
  if (!part.empty() && device.wraps_host_memory()) {
    replicas_.push_back({Buffer::wrap(device, {part, host_->owner}), stream, Event(), begin});
    return replicas_.back();
  }
  return write_copy(stream, begin, part);
}

void Storage::require_transfers(const Stream& stream, std::size_t bytes) {
  if (!transfers_denied()) return;
  throw Error(join(bytes, " bytes of an array of ",
                   replicas_.front().writer.device().info().selector, " are needed on ",
                   stream.device().info().selector,
                   ", but CLMX_TRANSFERS=deny or CLMX_STRICT=1 forbids it"));
}

// Where both devices compute in host memory, the second one uses the pages that the first one
// wrote: they never change again, and stay mapped until the second's last use.
Storage::Replica& Storage::copy_from_device(const Stream& stream, std::size_t begin,
                                            std::size_t bytes) {
  const Replica found = source(begin, bytes);
  const Device from = found.writer.device(), to = stream.device();
  if (bytes == 0) {
    replicas_.push_back({Buffer::allocate_unpooled(to, 0), stream, Event(), begin});
    return replicas_.back();
  }
  auto mapped = std::make_shared<const MappedBuffer>(
      map_out(found.writer, found.buffer, begin - found.begin, bytes));
  const bool shared = from.wraps_host_memory() && to.wraps_host_memory();
  if (shared) {
    const HostBytes pages{{mapped->data(), bytes}, mapped};
    replicas_.push_back({Buffer::wrap(to, pages), stream, Event(), begin});
  } else {
    write_copy(stream, begin, {mapped->data(), bytes});
  }
  note({from, to, bytes, shared});
  return replicas_.back();
}

void Storage::read(std::size_t offset, std::span<std::byte> to) {
  if (to.empty()) return;
  if (host_) {
    std::memcpy(to.data(), host_->bytes.data() + offset, to.size());
    return;
  }
  const Replica found = source_to_read(offset, to.size());
  read_out(found.writer, found.buffer, offset - found.begin, to);
}

HostBytes Storage::map(std::size_t offset, std::size_t bytes,
                       const std::shared_ptr<Storage>& self) {
  if (bytes == 0) return {{}, self};
  if (host_) return {host_->bytes.subspan(offset, bytes), self};
  const Replica found = source_to_read(offset, bytes);
  auto mapped = std::make_shared<const MappedBuffer>(
      map_out(found.writer, found.buffer, offset - found.begin, bytes));
  return {{mapped->data(), mapped->size()}, mapped};
}

bool Storage::ready() {
  const std::lock_guard lock(mutex_);
  if (host_) return true;
  Replica& found = source(0, size());
  if (!is_alive(found.writer)) return true;  // reading throws at once
  if (!found.written) found.written = found.writer.record();
  return found.written->complete();
}

void Storage::wait() {
  if (host_) return;
  static_cast<void>(ready());  // records the event
  const Replica found = source_to_read(0, size());
  found.written ? found.written->wait() : found.writer.synchronize();
}

std::optional<Device> Storage::home() {
  const std::lock_guard lock(mutex_);
  if (host_ || replicas_.empty()) return std::nullopt;
  return replicas_.front().writer.device();
}

}  // namespace clmx
