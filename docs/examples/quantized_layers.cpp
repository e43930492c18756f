#include <cmath>
#include <iostream>
#include <vector>

#include "clmx/devices/error.hpp"
#include "clmx/nn/builders.hpp"
#include "clmx/nn/quantize.hpp"

// As in mlx-rs: an Embedding and a Linear, quantized. The embedding's table also serves as the
// output layer.
int main() {
  try {
    const clmx::Embedding tokens =
        clmx::EmbeddingBuilder().embedding_count(100).dimensions(64).build();
    const clmx::Linear linear = clmx::LinearBuilder().input_dims(64).output_dims(64).build();
    clmx::QuantizedEmbedding quantized_tokens = clmx::quantize(tokens);
    clmx::QuantizedLinear quantized_linear = clmx::quantize(linear, {.group_size = 32, .bits = 8});

    const clmx::Array ids = clmx::Array::from(std::vector<std::int32_t>{3, 1, 4}, clmx::Shape{3});
    const clmx::Array hidden = quantized_linear.forward(quantized_tokens.forward(ids));
    const clmx::Array scores = quantized_tokens.as_linear(hidden);
    std::cout << quantized_tokens.describe() << '\n'
              << quantized_linear.describe() << '\n'
              << "hidden " << hidden.shape() << ", scores " << scores.shape() << '\n';

    // All parameters of a quantized layer are frozen, the bias too; those of a dense one are not.
    clmx::Linear dense = linear;
    std::cout << "trainable: " << dense.trainable_parameters().size() << " of the dense layer, "
              << quantized_linear.trainable_parameters().size() << " of the quantized one\n";
    // Quantizing again changes nothing.
    const clmx::QuantizedLinear again = clmx::quantize(quantized_linear);
    const std::vector<float> values = scores.to_vector<float>();
    const auto same_layer = again.weight().packed().to_vector<std::uint32_t>() ==
                            quantized_linear.weight().packed().to_vector<std::uint32_t>();
    const auto dense_scores =
        tokens.as_linear(linear.forward(tokens.forward(ids))).to_vector<float>();
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!(std::fabs(values[i] - dense_scores[i]) < 0.1F)) return 1;
    const bool good = scores.shape() == clmx::Shape{3, 100} && again.bits() == 8 && same_layer &&
                      dense.trainable_parameters().size() == 2 &&
                      quantized_linear.trainable_parameters().empty();
    return good ? 0 : 1;
  } catch (const clmx::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
