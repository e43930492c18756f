#pragma once

#include "reference.hpp"

/// What stored quantized arrays stand for, in float64: exact in every mode.
namespace clmx::reference {

/// Elements of a row.
std::size_t width_of(const Weight& w);
/// Code k of a row; rows of a stack count through.
std::uint32_t code_at(const Weight& w, std::size_t row, std::size_t k);
/// The number that a code is before it is scaled.
double element_value(const QuantizationParams& params, std::uint32_t code);
/// The scale of a group, without the global one; groups count through.
double scale_value(const Weight& w, std::size_t group);

}  // namespace clmx::reference
