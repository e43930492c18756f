#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "clmx/devices/device.hpp"
#include "clmx/host/array.hpp"

namespace clmx {

class QuantizedWeight;

/// Neighbouring rows begin .. end - 1 of a quantized weight on a device; those of a stack count
/// through. Prepared, in the layout of
/// the kernels that want one: words [blocks, words of a row, R], scales and biases [blocks, groups
/// of a row, R], where a block is R neighbouring rows, the last one padded with zeros. Otherwise
/// MLX's rows.
struct WeightRows {
  std::int64_t begin = 0, end = 0;
  Array words, scales;
  std::optional<Array> biases;
  std::int64_t count() const { return end - begin; }
};

/// The prepared layouts of one weight, made on first use, one per device and R. Any thread may ask.
class PreparedWeights {
 public:
  /// Enqueues the preparation on `stream` when there is none yet for its device. Unless asked for,
  /// an error under CLMX_TRANSFERS=deny where the weight comes from another device.
  std::vector<WeightRows> get(const QuantizedWeight& weight, int rows, const Stream& stream,
                              bool asked);

 private:
  struct Entry {
    Device device;
    int rows;
    std::vector<WeightRows> weight;
  };
  std::mutex mutex_;
  std::vector<Entry> entries_;
};

/// The weight in parts that fit the stream's device, prepared with R = rows; 0: MLX's rows. asked:
/// see PreparedWeights.
std::vector<WeightRows> weight_rows(const QuantizedWeight& weight, int rows, const Stream& stream,
                                    bool asked = false);

/// MLX's rows in parts that begin at multiples of `multiple` rows.
std::vector<WeightRows> stored_rows(const QuantizedWeight& weight, std::int64_t multiple,
                                    const Stream& stream);

}  // namespace clmx
