#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>

#include "clmx/devices/error.hpp"
#include "clmx/host/array.hpp"

namespace clmx {
namespace {

/// As cl/cast.cl.
template <Element To, Element From>
To converted(From value) {
  if constexpr (!std::integral<To>) {
    return static_cast<To>(static_cast<float>(value));
  } else if constexpr (std::integral<From>) {
    return static_cast<To>(value);
  } else {
    const auto wide = static_cast<double>(static_cast<float>(value));
    if (std::isnan(wide)) return 0;
    constexpr double least = std::numeric_limits<To>::min(), most = std::numeric_limits<To>::max();
    return static_cast<To>(std::clamp(wide, least, most));
  }
}

template <Element To, Element From>
void convert_from(const Array& array, std::span<std::byte> to) {
  const HostView<From> values = array.map<From>();
  std::byte* at = to.data();
  for (const From value : values) {
    const To one = converted<To>(value);
    std::memcpy(at, &one, sizeof(To));
    at += sizeof(To);
  }
}

template <Element To>
void convert_to(const Array& array, std::span<std::byte> to) {
  switch (array.dtype()) {
    case DType::f32:
      return convert_from<To, float>(array, to);
    case DType::f16:
      return convert_from<To, Half>(array, to);
    case DType::bf16:
      return convert_from<To, BFloat16>(array, to);
    case DType::u8:
      return convert_from<To, std::uint8_t>(array, to);
    case DType::u32:
      return convert_from<To, std::uint32_t>(array, to);
    case DType::i32:
      return convert_from<To, std::int32_t>(array, to);
  }
}

}  // namespace

void Array::convert(std::span<std::byte> to, DType wanted) const {
  if (size() == 0) return;
  switch (wanted) {
    case DType::f32:
      return convert_to<float>(*this, to);
    case DType::f16:
      return convert_to<Half>(*this, to);
    case DType::bf16:
      return convert_to<BFloat16>(*this, to);
    case DType::u8:
      return convert_to<std::uint8_t>(*this, to);
    case DType::u32:
      return convert_to<std::uint32_t>(*this, to);
    case DType::i32:
      return convert_to<std::int32_t>(*this, to);
  }
}

}  // namespace clmx
