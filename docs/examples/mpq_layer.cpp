#include <iostream>

#include "clmx/devices/error.hpp"
#include "clmx/nn/mpq_linear.hpp"

namespace {

clmx::Array halves(float value, const clmx::Shape& shape) {
  return clmx::Array::from(
      std::vector<clmx::Half>(static_cast<std::size_t>(shape.elements()), clmx::Half(value)),
      shape);
}

// 64 inputs, 32 outputs: every weight has code 3; scales (9 - 1) / 4 = 2, zeros (5 - 1) / 4 = 1, so
// it is 3 * 2 - 1.
clmx::MPQLinearTensors tensors() {
  const clmx::Shape cells{1, 2, 1};
  clmx::MPQLinearTensors t{
      clmx::Array::from(std::vector<std::int32_t>(8 * 32, 0x33333333), clmx::Shape{8, 32})};
  t.qstatistic = clmx::Array::from(std::vector<std::uint8_t>(32, 0x95), clmx::Shape{1, 2, 16});
  t.qscales_zeros = halves(1, cells);
  t.qscales_scales = halves(0.25F, cells);
  t.qzeros_zeros = halves(1, cells);
  t.qzeros_scales = halves(0.25F, cells);
  return t;
}

}  // namespace

// As in bitorch-engine: a 4-bit layer whose scales and zeros are quantized too, prepared before its
// first use. It is run with expanded statistics and with the codes as they are: the same bits, less
// memory.
int main() {
  try {
    const clmx::Array x = halves(1, clmx::Shape{1, 64});
    for (const auto statistics : {clmx::MPQStatistics::expanded, clmx::MPQStatistics::direct}) {
      clmx::MPQLinear layer({.in_channels = 64,
                             .out_channels = 32,
                             .w_bit = 4,
                             .group_size = 64,
                             .dq_group_size = 16,
                             .statistics = statistics},
                            tensors());
      try {
        (void)layer.forward(x);
        return 1;
      } catch (const clmx::ArgumentError& error) {
        std::cout << error.what() << '\n';  // it says that prepare_params comes first
      }
      layer.prepare_params();
      const std::vector<clmx::Half> y = layer.forward(x).to_vector<clmx::Half>();
      std::cout << layer.describe() << ": y[0] = " << static_cast<float>(y[0]) << ", "
                << layer.weight_bytes() << " bytes\n";
      if (static_cast<float>(y[0]) != 64 * (3 * 2 - 1)) return 1;
    }
  } catch (const clmx::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
