#pragma once

#include "clmx/devices/stream.hpp"

namespace clmx {

/// A kernel that does nothing but read: what memory gives. Works on a buffer of `room` bytes, of
/// which each call reads `bytes`, a different part each time.
class StreamReader {
 public:
  StreamReader(const Stream& stream, std::size_t bytes, std::size_t room);
  void enqueue();
  std::size_t bytes() const { return bytes_; }

 private:
  Stream stream_;
  std::size_t bytes_, at_ = 0;
  Buffer from_, to_;
  Kernel kernel_;
  Grid grid_;
};

}  // namespace clmx
