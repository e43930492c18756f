#include <iostream>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/quantize.hpp"

// Routes the layers of one model to two devices: an op runs where its last argument says. Arrays
// are copied as needed, and the bits are those of one device. With one device only, both layers run
// there.
int main() {
  try {
    const auto devices = clmx::Device::all();
    if (devices.empty()) {
      std::cerr << "no OpenCL device: clmx doctor says why\n";
      return 1;
    }
    const clmx::Device &first = devices.front(), &second = devices.back();
    if (devices.size() == 1) std::cout << "one device only: both layers run on it\n";

    clmx::QuantizedLinear up = clmx::quantize(clmx::Linear::random(128, 512, 1));
    clmx::QuantizedLinear down = clmx::quantize(clmx::Linear::random(512, 128, 2));
    up.to(first);  // weights are there before they are needed
    down.to(second);

    const clmx::Array x = clmx::Array::from(std::vector<float>(128, 0.25F), clmx::Shape{1, 128});
    const auto run = [&](const clmx::Device& a, const clmx::Device& b) {
      const clmx::Array hidden = clmx::silu(up.forward(x, a), a);
      return down.forward(hidden, b).to_vector<float>();
    };
    // Anything but zeros.
    const auto says_something = [](const std::vector<float>& y) {
      return y[0] * y[0] + y[1] * y[1] > 0;
    };
    const std::vector<float> split = run(first, second), alone = run(first, first);
    std::cout << first.info().selector << " and " << second.info().selector << ": "
              << (split == alone ? "the bits of one device\n" : "other bits than one device\n");
    return split == alone && says_something(split) ? 0 : 1;
  } catch (const clmx::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
