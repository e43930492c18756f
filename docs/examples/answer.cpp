#include <iostream>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/nn/generate.hpp"
#include "clmx/nn/model_file.hpp"

// Continues a text on each OpenCL device: answer [MODEL], a .gguf file or an MLX folder.
int main(int argc, char** argv) {
  try {
    const clmx::ModelFile file(argc > 1 ? argv[1] : clmx::default_model_path());
    const clmx::Tokenizer tokenizer = file.tokenizer();
    const auto model = file.load();
    const auto prompt = tokenizer.encode("The capital of France is");
    for (const clmx::Device& device : clmx::Device::all()) {
      const auto made = clmx::generate(*model, prompt, {.max_tokens = 8}, {}, device);
      std::cout << device.info().name << ":" << tokenizer.decode(made.tokens) << '\n';
    }
  } catch (const clmx::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
