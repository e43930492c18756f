#pragma once

#include "compare_models.hpp"
#include "json_output.hpp"

namespace clmx::cli {

/// Tables and findings on stdout; parts: every module too.
void print_comparison(const ModelComparison& all, bool parts, const CompareOptions& options);
/// docs/comparing.md says what is in it. own: for its measures.
Json document_of(const ModelComparison& all, const ComparisonRecord& own);
/// Each part of the model is a case, the gates are one.
std::vector<DeviceResult> as_verified(const ModelComparison& all, const CompareOptions& options,
                                      const Gate& gate);
/// Refuses a wrong op, and what the options do not allow.
void check_device(const ModelOnDevice& one, const CompareOptions& options, Gate& gate);
/// Refuses a mode that is further from float64 than --max-kl on any device.
void check_modes(const ModelComparison& all, const CompareOptions& options, Gate& gate);
/// "affine4: kl_mean" and the like of one device.
void add_mode_measures(const ModelComparison& all, std::size_t device, Measures& measures);

/// "quantized_matmul of [5, 576] (qmv)".
std::string in_words(const WrongOp& wrong);
std::string in_words(const ExpertFlip& flip);
std::string in_words(const ComparedPosition& other);

}  // namespace clmx::cli
