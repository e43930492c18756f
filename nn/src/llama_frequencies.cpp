#include "llama_frequencies.hpp"

#include <cmath>
#include <numbers>

namespace clmx {

std::vector<double> rope_periods(double base, int dims) {
  std::vector<double> periods;
  for (int i = 0; i < dims; i += 2)
    periods.push_back(std::pow(base, static_cast<double>(i) / dims));
  return periods;
}

std::vector<double> llama3_periods(double base, int dims, const Llama3Scaling& scaling) {
  std::vector<double> periods = rope_periods(base, dims);
  const double longest = scaling.original_context / scaling.high_freq_factor;
  const double shortest_stretched = scaling.original_context / scaling.low_freq_factor;
  for (double& period : periods) {
    const double wavelength = 2 * std::numbers::pi * period;
    if (wavelength > shortest_stretched) {
      period *= scaling.factor;
    } else if (wavelength > longest) {
      const double smooth = (scaling.original_context / wavelength - scaling.low_freq_factor) /
                            (scaling.high_freq_factor - scaling.low_freq_factor);
      period /= (1 - smooth) / scaling.factor + smooth;
    }
  }
  return periods;
}

}  // namespace clmx
