#include "clmx/host/stream_or_device.hpp"

namespace clmx {
namespace {

thread_local const StreamScope* innermost = nullptr;

}  // namespace

StreamScope::StreamScope(const StreamOrDevice& s) : stream_(s.resolve()), outer_(innermost) {
  innermost = this;
}
StreamScope::~StreamScope() {
  innermost = outer_;
}

Stream StreamOrDevice::resolve() const {
  if (const Stream* stream = std::get_if<Stream>(&where_)) return *stream;
  if (const Device* device = std::get_if<Device>(&where_)) return device->default_stream();
  if (innermost) return innermost->stream_;
  return default_device().default_stream();
}

}  // namespace clmx
