#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "clmx/host/ops_quantized.hpp"
#include "support/test_devices.hpp"

namespace clmx::testing_support {

template <Element T>
Array array_from(const std::vector<float>& values, const Shape& shape) {
  std::vector<T> narrow;
  for (const float v : values) narrow.push_back(static_cast<T>(v));
  return Array::from(narrow, shape);
}

inline Array float_array(const std::vector<float>& values, const Shape& shape, DType dtype) {
  if (dtype == DType::f16) return array_from<Half>(values, shape);
  if (dtype == DType::bf16) return array_from<BFloat16>(values, shape);
  return Array::from(values, shape);
}

template <Element T>
std::vector<float> widened(const Array& array) {
  std::vector<float> wide;
  for (const T v : array.to_vector<T>()) wide.push_back(static_cast<float>(v));
  return wide;
}

inline std::vector<float> floats_of(const Array& array) {
  if (array.dtype() == DType::f16) return widened<Half>(array);
  if (array.dtype() == DType::bf16) return widened<BFloat16>(array);
  return array.to_vector<float>();
}

inline std::vector<float> normals(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& v : values) v = normal(random);
  return values;
}

/// Equal shapes, dtypes and bits; of floats any NaN equals any other.
inline bool same(const Array& a, const Array& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  if (!is_float(a.dtype())) {
    std::vector<std::byte> x(a.bytes()), y(b.bytes());
    a.read(x);
    b.read(y);
    return x == y;
  }
  return std::ranges::equal(floats_of(a), floats_of(b), [](float x, float y) {
    return (std::isnan(x) && std::isnan(y)) ||
           std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

struct Format {
  QuantizationParams params;
  DType scales = DType::f32;  ///< and biases; ignored in mxfp4
};

inline std::size_t count(std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>(rows * columns);
}

/// A weight of random codes with scales and biases of ordinary size, held by the host.
inline QuantizedWeight random_weight(std::int64_t n, std::int64_t k, const Format& format,
                                     std::uint32_t seed) {
  std::mt19937 random(seed);
  const std::int64_t row_words = k * format.params.bit_count() / 32;
  const Shape per_group{n, k / format.params.group()};
  std::vector<std::uint32_t> words(count(n, row_words));
  for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random());
  const Array packed = Array::from(words, {n, row_words});
  if (format.params.mode == QuantizationMode::mxfp4) {
    std::vector<std::uint8_t> exponents(count(n, per_group[1]));
    for (auto& e : exponents) e = static_cast<std::uint8_t>(118 + random() % 10);
    return {packed, Array::from(exponents, per_group), {}, format.params};
  }
  std::vector<float> scales = normals(count(n, per_group[1]), seed + 1);
  std::vector<float> biases = normals(scales.size(), seed + 2);
  for (float& s : scales) s *= 0.01f;
  for (float& b : biases) b *= 0.1f;
  return {packed, float_array(scales, per_group, format.scales),
          float_array(biases, per_group, format.scales), format.params};
}

/// A weight's numbers, for references.
struct HostWeight {
  explicit HostWeight(const QuantizedWeight& w)
      : params(w.params()), width(w.in_features()), words(w.packed().to_vector<std::uint32_t>()) {
    if (w.biases()) {
      scales = floats_of(w.scales());
      biases = floats_of(*w.biases());
    } else {
      for (const std::uint8_t e : w.scales().to_vector<std::uint8_t>())
        scales.push_back(std::ldexp(1.0f, e - 127));
    }
  }
  bool affine() const { return !biases.empty(); }
  std::size_t group() const { return static_cast<std::size_t>(params.group()); }
  std::size_t groups() const { return static_cast<std::size_t>(width) / group(); }
  float element(std::size_t n, std::size_t k) const {
    const auto bits = static_cast<std::size_t>(params.bit_count());
    const std::size_t at = n * static_cast<std::size_t>(width) + k;
    const std::uint32_t code = words[at * bits / 32] >> (at * bits % 32) & ((1u << bits) - 1u);
    constexpr std::array e2m1{0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
    if (affine()) return static_cast<float>(code);
    return code < 8 ? e2m1[code] : -e2m1[code - 8];
  }

  QuantizationParams params;
  std::int64_t width;
  std::vector<std::uint32_t> words;
  std::vector<float> scales, biases;
};

/// tree(lo, hi) = tree(lo, mid) + tree(mid, hi), mid = lo + ceil((hi - lo) / 2).
inline float tree(const float* p, std::size_t n) {
  if (n == 1) return p[0];
  const std::size_t half = (n + 1) / 2;
  return tree(p, half) + tree(p + half, n - half);
}

/// One element of the product in the canonical order of docs/architecture.md.
inline float canonical(const HostWeight& w, std::size_t n, const float* x) {
  const std::size_t block_groups = 256 / w.group();
  std::vector<float> blocks;
  for (std::size_t first = 0; first < w.groups(); first += block_groups) {
    float t = 0.0f, u = 0.0f;
    for (std::size_t g = first; g < std::min(first + block_groups, w.groups()); ++g) {
      float a = 0.0f, sum = 0.0f;
      for (std::size_t k = g * w.group(); k < (g + 1) * w.group(); ++k) {
        a = std::fma(w.element(n, k), x[k], a);
        sum += x[k];
      }
      t = std::fma(w.scales[n * w.groups() + g], a, t);
      if (w.affine()) u = std::fma(w.biases[n * w.groups() + g], sum, u);
    }
    blocks.push_back(w.affine() ? t + u : t);
  }
  return tree(blocks.data(), blocks.size());
}

/// Whether a device interprets kernels so slowly that cases are kept small.
inline bool is_slow(const Device& device) {
  return device.info().device_class == DeviceClass::emulated;
}

}  // namespace clmx::testing_support
