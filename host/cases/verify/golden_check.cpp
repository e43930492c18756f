#include "golden_check.hpp"

#include <cmath>
#include <limits>
#include <set>

#include "clmx/devices/error.hpp"
#include "golden_qqmm.hpp"

namespace clmx {
namespace {

/// Expected outputs that are bits: the array of the same name, among the outputs or, for the parts
/// of a layer, the inputs.
Array wanted_array(const GoldenCase& golden, const GoldenFamily& family, const std::string& key) {
  return golden.outputs.contains(key) ? family.output(golden, key) : family.input(golden, key);
}

Verdict check_bits(const Array& got, const Array& wanted) {
  const DoubleArray wide = widen(wanted);
  return check(got, Expected{wide.shape, wide.dtype, wide.values, {}});
}

double allowed(const GoldenCase& golden, DType dtype, double ref, double magnitude) {
  if (golden.check == "rel") return golden.tol * std::max(1.0, std::abs(ref));
  const double u = dtype == DType::f16 ? 0x1p-11 : dtype == DType::bf16 ? 0x1p-8 : 0x1p-24;
  const double roundings = golden.two_roundings ? 2 : 1;
  return roundings * u * std::abs(ref) + (golden.terms + 8) * 0x1p-24 * magnitude +
         (dtype == DType::f16 ? 0x1p-25 : 0);
}

/// What the outputs are checked by, with the magnitude of each element's terms.
GoldenReference reference_of(const GoldenCase& golden, const GoldenFamily& family) {
  GoldenReference reference{{}, dtype_named(golden.dtype), {}, {}};
  std::vector<double> magnitude;
  if (golden.check == "info") {
    QqmmReference sums = qqmm_reference(golden, family);
    reference.shape = family.output_shape(golden, "y_mlx");
    reference.values = std::move(sums.ref);
    magnitude = std::move(sums.magnitude);
  } else {
    reference.shape = family.output_shape(golden, "ref");
    reference.values = family.doubles(golden, "ref");
    magnitude.resize(reference.values.size());
    if (golden.check == "close") magnitude = family.doubles(golden, "mag");
  }
  if (magnitude.size() != reference.values.size() ||
      reference.shape.elements() != static_cast<std::int64_t>(magnitude.size()))
    throw FormatError(family.file_name(), 0, "the references of " + golden.name + " do not fit");
  for (std::size_t i = 0; i < magnitude.size(); ++i) {
    reference.allowed.push_back(
        allowed(golden, reference.dtype, reference.values[i], magnitude[i]));
  }
  return reference;
}

/// What a case declares to come out: its outputs without those that only help to check it.
std::set<std::string> declared(const GoldenCase& golden) {
  static const std::set<std::string> helpers{"mag", "ref_rounded", "y_mlx", "dense"};
  std::set<std::string> names;
  for (const auto& [key, tensor] : golden.outputs) {
    if (!helpers.contains(key)) names.insert(key == "ref" ? "y" : key);
  }
  return names;
}

bool is_qqmm(const GoldenCase& golden) {
  return golden.check == "info" && golden.op == "qqmm";
}

}  // namespace

void take_verdict(CaseResult& result, const Verdict& verdict, const std::string& output) {
  if (!verdict.bit_equal && result.outcome == Outcome::bit_equal) result.outcome = Outcome::within;
  // Finite, as JSON has no infinity: the largest number stands for what has no share of a bound.
  result.worst =
      std::max(result.worst, std::min(verdict.worst, std::numeric_limits<double>::max()));
  if (!verdict.mismatch || result.outcome == Outcome::failed) return;
  result.outcome = Outcome::failed;
  result.what = output + ": " + verdict.mismatch->what;
  result.index = verdict.mismatch->index;
  result.got = verdict.mismatch->got;
  result.wanted = verdict.mismatch->wanted;
}

Verdict check_against(const GoldenReference& reference, const Array& got) {
  const DoubleArray y = widen(got);
  Verdict verdict;
  if (got.dtype() != reference.dtype || got.shape() != reference.shape) {
    verdict.bit_equal = false;
    verdict.worst = INFINITY;
    verdict.mismatch = Mismatch{join("shape ", got.shape(), " of ", got.dtype(), " where ",
                                     reference.shape, " of ", reference.dtype, " is wanted"),
                                0, 0, 0};
    return verdict;
  }
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    const double wanted = reference.values[i], limit = reference.allowed[i];
    const double error = std::abs(y.values[i] - wanted);
    verdict.bit_equal = verdict.bit_equal && y.values[i] == rounded(reference.dtype, wanted);
    const bool good = error <= limit;  // false for NaN
    if (error > 0 || !good)
      verdict.worst = std::max(verdict.worst, std::isnan(error) ? INFINITY : error / limit);
    if (!good && !verdict.mismatch)
      verdict.mismatch =
          Mismatch{"error above its tolerance", static_cast<std::int64_t>(i), y.values[i], wanted};
  }
  return verdict;
}

CaseResult check_golden(const GoldenCase& golden, const GoldenFamily& family,
                        const GoldenOutputs& got) {
  CaseResult result{.name = golden.name, .outcome = Outcome::bit_equal};
  const bool by_bits = golden.check == "bits" || golden.check == "bits_nan";
  if (!by_bits && golden.check != "close" && golden.check != "rel" && !is_qqmm(golden)) {
    result.outcome = Outcome::not_covered;
    return result;
  }
  for (const std::string& key : declared(golden)) {
    require(got.contains(key), "verify", "nothing came out for the output '", key, "'");
  }
  for (const auto& [key, array] : got) {
    take_verdict(result,
                 by_bits || key != "y" ? check_bits(array, wanted_array(golden, family, key))
                                       : check_against(reference_of(golden, family), array),
                 key);
  }
  return result;
}

}  // namespace clmx
