#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "clmx/devices/device.hpp"
#include "clmx/host/array.hpp"

namespace clmx {

class QuantizedWeight;

/// A quantized weight in the layout of the vector kernels: words [blocks, words of a row, rows],
/// scales and biases [blocks, groups of a row, rows], where a block is `rows` neighbouring rows of
/// the weight, the last one padded with zeros.
struct PreparedWeight {
  int rows = 0;
  Array words, scales;
  std::optional<Array> biases;
};

/// The prepared layouts of one weight, made on first use, one per device and number of rows. Any
/// thread may ask.
class PreparedWeights {
 public:
  /// Enqueues the preparation on `stream` when there is none yet for its device.
  PreparedWeight get(const QuantizedWeight& weight, int rows, const Stream& stream);

 private:
  struct Entry {
    Device device;
    PreparedWeight weight;
  };
  std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace clmx
