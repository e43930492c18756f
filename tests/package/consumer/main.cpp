#include <filesystem>
#include <iostream>
#include <vector>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"
#include "clmx/nn/model_file.hpp"

// Adds two arrays on each device and opens a model that is not there: all three layers, installed.
int main() {
  try {
    const clmx::Array x = clmx::Array::from(std::vector<float>{1, 2, 3}, {3});
    for (const clmx::Device& device : clmx::Device::all()) {
      const std::vector<float> sum = clmx::add(x, x, device).to_vector<float>();
      std::cout << device.info().selector << ": " << sum[0] << ' ' << sum[1] << ' ' << sum[2]
                << '\n';
      if (sum != std::vector<float>{2, 4, 6}) return 1;
    }
    if (clmx::Device::all().empty()) return 1;
  } catch (const clmx::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  try {
    clmx::ModelFile("no-such-model.gguf").tokenizer();
  } catch (const clmx::FormatError&) {
    return 0;
  }
  return 1;
}
