#pragma once

#include <vector>

namespace clmx {

/// The "llama3" kind of rope_scaling.
struct Llama3Scaling {
  double factor = 8, low_freq_factor = 1, high_freq_factor = 4, original_context = 8192;
};

/// base^(2i/dims) for i in [0, dims/2): one turn is 2 pi periods.
std::vector<double> rope_periods(double base, int dims);
/// rope_periods with long wavelengths stretched by factor, short ones left, the rest blended.
/// Source: the rope_scaling rules published with Llama 3.1.
std::vector<double> llama3_periods(double base, int dims, const Llama3Scaling& scaling);

}  // namespace clmx
