#include "random_values.hpp"

namespace clmx {
namespace {

// Sebastiano Vigna, https://prng.di.unimi.it/splitmix64.c (public domain).
double unit_interval(std::uint64_t counter) {
  std::uint64_t z = (counter + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

}  // namespace

std::vector<float> uniform_values(std::size_t n, float bound, std::uint64_t seed) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = static_cast<float>((2 * unit_interval(seed + i) - 1) * bound);
  }
  return values;
}

std::vector<float> normal_values(std::size_t n, float deviation, std::uint64_t seed) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    double sum = -6;  // the mean of twelve uniforms, whose variances add to 1
    for (std::uint64_t j = 0; j < 12; ++j) sum += unit_interval(seed + i * 12 + j);
    values[i] = static_cast<float>(sum * deviation);
  }
  return values;
}

}  // namespace clmx
