#include "case_data.hpp"

#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

double value_of(Data data, DType dtype, Random& random) {
  switch (data) {
    case Data::normal:
      return random.normal();
    case Data::positive:
      return std::abs(random.normal());
    case Data::lognormal: {
      const double magnitude = std::exp(1.5 * random.normal());
      return random.bits() % 2 ? magnitude : -magnitude;
    }
    case Data::integers:
      return static_cast<double>(random.integer(-4, 4));
    case Data::extreme: {
      const int span = dtype == DType::f16 ? 7 : 12;
      const int exponent = static_cast<int>(random.integer(-span, span));
      const double mantissa = 1.0 + random.uniform();
      return std::ldexp(random.bits() % 2 ? mantissa : -mantissa, exponent);
    }
    case Data::zeros:
    case Data::one_hot:
      break;
  }
  return 0.0;
}

template <std::integral T>
T whole(double value, DType dtype) {
  // Also of what is not a number.
  if (!(value >= static_cast<double>(std::numeric_limits<T>::min()) &&
        value <= static_cast<double>(std::numeric_limits<T>::max()) && value == std::trunc(value)))
    throw FormatError("values of an array", 0, join(value, " is no ", dtype));
  return static_cast<T>(value);
}

template <Element T>
Array converted(const std::vector<double>& values, const Shape& shape) {
  std::vector<T> narrow;
  narrow.reserve(values.size());
  for (const double value : values) {
    if constexpr (std::is_integral_v<T>) {
      narrow.push_back(whole<T>(value, DTypeOf<T>::value));
    } else {
      narrow.push_back(T(static_cast<float>(value)));
    }
  }
  return Array::from(narrow, shape);
}

}  // namespace

std::uint64_t Random::bits() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double Random::uniform() {
  return static_cast<double>(bits() >> 11) * 0x1p-53;
}

double Random::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::int64_t Random::integer(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(high - low + 1));
}

std::string_view to_string(Data data) {
  switch (data) {
    case Data::normal:
      return "normal";
    case Data::positive:
      return "positive";
    case Data::lognormal:
      return "lognormal";
    case Data::integers:
      return "integers";
    case Data::zeros:
      return "zeros";
    case Data::one_hot:
      return "one_hot";
    case Data::extreme:
      return "extreme";
  }
  return "";
}

Array array_of(const std::vector<double>& values, DType dtype, const Shape& shape) {
  switch (dtype) {
    case DType::f32:
      return converted<float>(values, shape);
    case DType::f16:
      return converted<Half>(values, shape);
    case DType::bf16:
      return converted<BFloat16>(values, shape);
    case DType::u8:
      return converted<std::uint8_t>(values, shape);
    case DType::u32:
      return converted<std::uint32_t>(values, shape);
    case DType::i32:
      return converted<std::int32_t>(values, shape);
  }
  throw ArgumentError("[array_of] unknown dtype");
}

Array random_array(Data data, DType dtype, const Shape& shape, Random& random, double scale) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (double& value : values) value = scale * value_of(data, dtype, random);
  if (data == Data::one_hot && !values.empty()) {
    const std::int64_t width = shape[-1];
    for (std::int64_t row = 0; row < shape.elements() / width; ++row)
      values[static_cast<std::size_t>(row * width + random.integer(0, width - 1))] = 1.0;
  }
  return array_of(values, dtype, shape);
}

Array random_words(const Shape& shape, Random& random) {
  std::vector<std::uint32_t> words(static_cast<std::size_t>(shape.elements()));
  for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random.bits() >> 32);
  return Array::from(words, shape);
}

Array random_integers(DType dtype, const Shape& shape, Random& random, std::int64_t low,
                      std::int64_t high) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (double& value : values) value = static_cast<double>(random.integer(low, high));
  return array_of(values, dtype, shape);
}

std::function<Inputs(std::uint64_t)> floats(Data data, const std::vector<DType>& dtypes,
                                            const std::vector<Shape>& shapes) {
  return [=](std::uint64_t seed) {
    Random random(seed);
    Inputs inputs;
    for (std::size_t i = 0; i < shapes.size(); ++i)
      inputs.push_back(random_array(data, dtypes[i % dtypes.size()], shapes[i], random));
    return inputs;
  };
}

std::function<Inputs()> ones(const std::vector<DType>& dtypes, const std::vector<Shape>& shapes) {
  return [=] {
    Inputs inputs;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const auto n = static_cast<std::size_t>(shapes[i].elements());
      inputs.push_back(array_of(std::vector<double>(n, 1.0), dtypes[i % dtypes.size()], shapes[i]));
    }
    return inputs;
  };
}

}  // namespace clmx
