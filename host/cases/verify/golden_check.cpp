#include "golden_check.hpp"

#include <cmath>

#include "case_check.hpp"
#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

/// Expected outputs that are bits: the array of the same name, among the outputs or, for the parts
/// of a layer, the inputs.
Array wanted_array(const GoldenCase& golden, const GoldenFamily& family, const std::string& key) {
  return golden.outputs.contains(key) ? family.output(golden, key) : family.input(golden, key);
}

void take(CaseResult& result, const Verdict& verdict, const std::string& output) {
  if (!verdict.bit_equal && result.outcome == Outcome::bit_equal) result.outcome = Outcome::within;
  result.worst = std::max(result.worst, verdict.worst);
  if (!verdict.mismatch || result.outcome == Outcome::failed) return;
  result.outcome = Outcome::failed;
  result.what = output + ": " + verdict.mismatch->what;
  result.index = verdict.mismatch->index;
  result.got = verdict.mismatch->got;
  result.wanted = verdict.mismatch->wanted;
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

/// Element by element against the float64 reference.
Verdict check_values(const GoldenCase& golden, const GoldenFamily& family, const Array& got) {
  const DType dtype = dtype_named(golden.dtype);
  const std::vector<double> ref = family.doubles(golden, "ref");
  std::vector<double> magnitude(ref.size());
  if (golden.check == "close") magnitude = family.doubles(golden, "mag");
  const DoubleArray y = widen(got);
  Verdict verdict;
  if (got.dtype() != dtype || got.shape() != family.output(golden, "y_mlx").shape() ||
      ref.size() != y.values.size() || magnitude.size() != ref.size()) {
    verdict.bit_equal = false;
    verdict.mismatch = Mismatch{join("shape ", got.shape(), " of ", got.dtype(), " where ",
                                     ref.size(), " elements of ", dtype, " are wanted"),
                                0, 0, 0};
    return verdict;
  }
  for (std::size_t i = 0; i < ref.size(); ++i) {
    const double error = std::abs(y.values[i] - ref[i]);
    const double limit = allowed(golden, dtype, ref[i], magnitude[i]);
    verdict.bit_equal = verdict.bit_equal && y.values[i] == rounded(dtype, ref[i]);
    const bool good = error <= limit;  // false for NaN
    if (error > 0 || !good)
      verdict.worst = std::max(verdict.worst, good ? error / limit : INFINITY);
    if (!good && !verdict.mismatch)
      verdict.mismatch =
          Mismatch{"error above its tolerance", static_cast<std::int64_t>(i), y.values[i], ref[i]};
  }
  return verdict;
}

}  // namespace

CaseResult check_golden(const GoldenCase& golden, const GoldenFamily& family,
                        const GoldenOutputs& got) {
  CaseResult result{.name = golden.name, .outcome = Outcome::bit_equal};
  const bool by_bits = golden.check == "bits" || golden.check == "bits_nan";
  if (!by_bits && golden.check != "close" && golden.check != "rel") {
    result.outcome = Outcome::not_covered;
    return result;
  }
  for (const auto& [key, array] : got) {
    take(result,
         by_bits || key != "y" ? check_bits(array, wanted_array(golden, family, key))
                               : check_values(golden, family, array),
         key);
  }
  return result;
}

}  // namespace clmx
