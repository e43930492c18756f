#pragma once

#include "clmx/devices/stream.hpp"

namespace clmx {

/// Where bytes that only `writer` wrote are best read: waits for the writer's last command that
/// uses the buffer, then returns the device's transfer stream, on which a read or map runs beside
/// the writer's later work. Returns `writer` itself, without waiting, where that command cannot be
/// told from later ones: while one device is in use in the process, launches leave no events.
///
/// Throws DeviceError when the writer's work failed.
Stream way_out(const Stream& writer, const Buffer& buffer);

/// Stream::read and Stream::map on way_out(): as on `writer`, which is dead too where the transfer
/// finds the device lost.
void read_out(const Stream& writer, const Buffer& from, std::size_t offset,
              std::span<std::byte> bytes);
MappedBuffer map_out(const Stream& writer, const Buffer& buffer, std::size_t offset,
                     std::size_t bytes);

/// Where bytes of the host are best written to a new buffer that `user` will read: `user` for few,
/// since their write does not wait; for many the device's transfer stream, where the write waits
/// for no work of the user's and is done when it returns.
Stream way_in(const Stream& user, std::size_t bytes);

}  // namespace clmx
