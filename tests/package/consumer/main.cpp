#include <iostream>
#include <vector>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"

// Adds two arrays on each device; fails when there is none or a sum is wrong.
int main() {
  try {
    const clmx::Array x = clmx::Array::from(std::vector<float>{1, 2, 3}, {3});
    for (const clmx::Device& device : clmx::Device::all()) {
      const std::vector<float> sum = clmx::add(x, x, device).to_vector<float>();
      std::cout << device.info().selector << ": " << sum[0] << ' ' << sum[1] << ' ' << sum[2] << '\n';
      if (sum != std::vector<float>{2, 4, 6}) return 1;
    }
    return clmx::Device::all().empty() ? 1 : 0;
  } catch (const clmx::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
