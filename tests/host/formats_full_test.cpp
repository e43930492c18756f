#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "host_quantize.hpp"
#include "quantized_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;

/// The exponents of a dtype's normal numbers, as f32 stores them.
struct Exponents {
  std::uint32_t least, most;

  static Exponents of(DType dtype) {
    return dtype == DType::f16 ? Exponents{113, 142} : Exponents{1, 254};
  }
  std::uint32_t count() const { return most - least + 1; }
};

/// Groups of every kind, each of random bits, over the range of a dtype: numbers of any exponent,
/// of eight binades, subnormals, multiples of quarters (ties), equal values, huge ones.
class RandomGroups {
 public:
  explicit RandomGroups(std::uint32_t seed) : random_(seed) {}

  void append(std::vector<float>& values, std::size_t count, DType dtype) {
    range_ = Exponents::of(dtype);
    const auto kind = static_cast<std::uint32_t>(random_() % 7);
    const std::uint32_t base =
        range_.least + static_cast<std::uint32_t>(random_() % range_.count());
    const auto scale = std::bit_cast<float>(base << 23);
    for (std::size_t i = 0; i < count; ++i) values.push_back(value(kind, base, scale, values));
  }

 private:
  /// The sign and mantissa of `bits` with that exponent, at most the largest.
  float with_exponent(std::uint32_t bits, std::uint32_t exponent) const {
    return std::bit_cast<float>((bits & 0x807fffffu) | std::min(range_.most, exponent) << 23);
  }

  float value(std::uint32_t kind, std::uint32_t base, float scale,
              const std::vector<float>& so_far) {
    const auto bits = static_cast<std::uint32_t>(random_());
    switch (kind) {
      case 0:  // any exponent
        return with_exponent(bits,
                             range_.least + static_cast<std::uint32_t>(random_()) % range_.count());
      case 1:  // within eight binades
        return with_exponent(bits, base + (bits >> 23 & 7u));
      case 2: {  // subnormal: below the least normal number
        const auto least = std::bit_cast<float>(range_.least << 23);
        return static_cast<float>(static_cast<double>(bits & 0x7fffffu) * 0x1p-23 *
                                  static_cast<double>(bits >> 31 ? -least : least));
      }
      case 3:  // ties
        return static_cast<float>(static_cast<int>(bits % 97u) - 48) * 0.25f * scale;
      case 4:  // two equal magnitudes and zeros
        return bits % 3u == 0 ? 0.0f : bits % 3u == 1 ? scale : -scale;
      case 5:  // one value
        return so_far.empty() || bits % 8u == 0 ? scale : so_far.back();
      default:  // huge
        return with_exponent(bits, range_.most - 2 + (bits >> 23 & 1u));
    }
  }
  std::mt19937 random_;
  Exponents range_{};
};

/// Finite in dtype.
Array as_stored(std::vector<float> values, const Shape& shape, DType dtype) {
  for (float& v : values) {
    const float stored = round_to(dtype, v);
    v = std::isfinite(stored) ? v : std::copysign(65504.0f, v);
  }
  return float_array(values, shape, dtype);
}

/// The mode's one format, or every width and group size of affine.
std::vector<QuantizationParams> formats_of(QuantizationMode mode) {
  if (mode != QuantizationMode::affine) return {{mode}};
  std::vector<QuantizationParams> formats;
  for (const int bits : {1, 2, 3, 4, 5, 6, 8})
    for (const int group : {16, 32, 64, 128}) formats.push_back({mode, group, bits});
  return formats;
}

/// The formats and, independently, the dtypes take turns, chunk by chunk.
void compare(QuantizationMode mode, const Device& device) {
  constexpr std::size_t groups = 10'000'000, chunk = 100'000, per_row = 8;
  constexpr std::array dtypes{DType::f32, DType::f16, DType::bf16};
  const std::vector<QuantizationParams> formats = formats_of(mode);
  RandomGroups random(7);
  for (std::size_t at = 0; at < groups; at += chunk) {
    const QuantizationParams& params = formats[at / chunk % formats.size()];
    const DType dtype = dtypes.at(at / chunk % dtypes.size());
    const auto group = static_cast<std::size_t>(params.group());
    std::vector<float> values;
    values.reserve(chunk * group);
    for (std::size_t i = 0; i < chunk; ++i) random.append(values, group, dtype);
    const Shape shape{static_cast<std::int64_t>(chunk / per_row),
                      static_cast<std::int64_t>(per_row * group)};
    const Array w = as_stored(std::move(values), shape, dtype);
    SCOPED_TRACE(join(dtype, ' ', params.bit_count(), " bits, group ", params.group()));
    const QuantizedArrays got = quantize_arrays(w, params, device);
    const QuantizedArrays wanted = quantize_on_host(w, {params});
    ASSERT_TRUE(same(got.packed, wanted.packed)) << "groups from " << at;
    ASSERT_TRUE(same(got.scales, wanted.scales)) << "groups from " << at;
    ASSERT_TRUE(!got.biases || same(*got.biases, *wanted.biases)) << "groups from " << at;
  }
}

class TenMillionRandomGroupsFull : public testing::TestWithParam<QuantizationMode> {};
TEST_P(TenMillionRandomGroupsFull, HaveTheBitsOfTheHostReference) {
  for (const Device& device : test_devices()) {
    if (is_slow(device)) continue;
    compare(GetParam(), device);
  }
}
INSTANTIATE_TEST_SUITE_P(Every, TenMillionRandomGroupsFull,
                         testing::Values(QuantizationMode::affine, QuantizationMode::mxfp4,
                                         QuantizationMode::mxfp8, QuantizationMode::nvfp4),
                         [](const auto& mode) { return std::string(to_string(mode.param)); });

/// Every pattern of T widens exactly; each finite one, and what is between it and the next, rounds.
template <class T>
void check_conversions(const Device& device) {
  std::vector<T> all(0x10000);
  std::vector<float> points;
  for (unsigned bits = 0; bits < all.size(); ++bits) {
    all[bits].bits = static_cast<std::uint16_t>(bits);
    const auto value = static_cast<float>(all[bits]);
    const auto next = static_cast<float>(std::bit_cast<T>(static_cast<std::uint16_t>(bits + 1)));
    if (!std::isfinite(value)) continue;
    const auto middle =
        static_cast<float>((static_cast<double>(value) + static_cast<double>(next)) / 2);
    for (const float point :
         {value, middle, std::nextafter(middle, -INFINITY), std::nextafter(middle, INFINITY)})
      if (std::isfinite(point)) points.push_back(point);
  }
  const std::vector<float> wide =
      cast(Array::from(all, {0x10000}), DType::f32, device).template to_vector<float>();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto value = static_cast<float>(all[i]);
    ASSERT_TRUE(std::isnan(value)
                    ? std::isnan(wide[i])
                    : std::bit_cast<std::uint32_t>(wide[i]) == std::bit_cast<std::uint32_t>(value))
        << i;
  }
  const Array given = Array::from(points, {static_cast<std::int64_t>(points.size())});
  const std::vector<T> rounded = cast(given, DTypeOf<T>::value, device).template to_vector<T>();
  for (std::size_t i = 0; i < points.size(); ++i)
    ASSERT_EQ(rounded[i].bits, T(points[i]).bits) << points[i];
}

TEST(HalfConversionsFull, AreExactOnEveryDevice) {
  for (const Device& device : test_devices()) {
    SCOPED_TRACE(device.info().selector);
    check_conversions<Half>(device);
    check_conversions<BFloat16>(device);
  }
}

}  // namespace
}  // namespace clmx
