#pragma once

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "clmx/devices/error.hpp"
#include "clmx/host/array.hpp"

namespace clmx {

/// The elements of an array, all of one value. Throws ArgumentError when there is no memory for
/// them, as do the functions below.
template <class T>
std::vector<T> host_values(const Shape& shape, T value) {
  try {
    return std::vector<T>(static_cast<std::size_t>(shape.elements()), value);
  } catch (const std::length_error&) {  // beyond what a vector can count
  } catch (const std::bad_alloc&) {
  }
  throw ArgumentError(join("there is no memory for an array of shape ", shape));
}

/// f32, all of one value.
Array constant_array(const Shape& shape, float value);
/// f32 values uniform in [-bound, bound]. Element i is a function of seed and i alone
/// (counter-based: splitmix64 of a mixed seed plus i), computed on the host: the same on every
/// device.
Array uniform_array(const Shape& shape, float bound, std::uint64_t seed);
/// f32 normal values of that deviation: uniform ones by the inverse of the normal distribution.
Array normal_array(const Shape& shape, float deviation, std::uint64_t seed);

/// A seed of its own for each part of a layer of some class, unrelated to the layer's and to those
/// of other classes.
std::uint64_t seed_of_part(std::uint64_t seed, std::string_view layer, int part);

/// Throws ArgumentError, naming the field, unless value is positive.
void require_positive(std::int64_t value, std::string_view layer, std::string_view field);

}  // namespace clmx
