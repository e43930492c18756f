#include "op_case.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <map>
#include <ostream>
#include <set>

#include "case_check.hpp"
#include "clmx/devices/error.hpp"
#include "error_measure.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

constexpr std::uint64_t seed = 20260;

/// Inputs and reference of a case, made once for all devices; what the first device gave.
struct Prepared {
  Inputs inputs;
  std::vector<Expected> wanted;
  std::string first_device;
  std::vector<Expected> first;
};

Prepared& prepared(const OpCase& op_case) {
  static std::map<const OpCase*, Prepared> made;  // of one op at a time
  if (!made.empty() && made.begin()->first->call.op != op_case.call.op) made.clear();
  const auto found = made.find(&op_case);
  if (found != made.end()) return found->second;
  Prepared fresh;
  fresh.inputs = op_case.inputs(seed);
  fresh.wanted = expected(op_case, fresh.inputs);
  return made.emplace(&op_case, std::move(fresh)).first->second;
}

void expect_match(const Outputs& got, const std::vector<Expected>& wanted, bool exact,
                  const std::string& source) {
  const Verdict verdict = check(got, wanted, exact);
  if (!verdict.mismatch) return;
  const Mismatch& m = *verdict.mismatch;
  ADD_FAILURE() << m.what << " at element " << m.index << ": got " << m.got << ", " << source
                << " gives " << m.wanted << "; worst error " << verdict.worst << " of its budget";
}

/// Beside each element's own budget: what a product may lose besides the tree's additions, and the
/// normalised mean squared error of a case.
void expect_accuracy(const OpCase& op_case, const Outputs& got,
                     const std::vector<Expected>& wanted) {
  // An error of a score in f32 is one of its weight relative to the score's magnitude.
  const bool attends = op_case.call.op.find("attention") != std::string::npos;
  for (std::size_t i = 0; i < std::min(got.size(), wanted.size()); ++i) {
    if (got[i].shape() != wanted[i].shape || wanted[i].budget.empty()) continue;
    ErrorMeasure measure;
    measure.add(got[i], wanted[i], op_case.traits.exact);
    EXPECT_LE(measure.worst_of_chain(), 1.0);
    EXPECT_LE(measure.nmse(DType::f32), attends ? 1e-11 : 1e-12);
    EXPECT_LE(measure.nmse(DType::f16), 1e-6);
    EXPECT_LE(measure.nmse(DType::bf16), 2e-5);
  }
}

/// All bits of a case are the same on every device; data that some devices flush is left out.
void compare_bits(const OpCase& op_case, Prepared& made, const Outputs& got, const Device& device) {
  if (op_case.traits.subnormal) return;
  if (made.first_device.empty()) {
    made.first_device = device.info().selector;
    made.first = as_expected(got);
    return;
  }
  expect_match(got, made.first, true, made.first_device);
}

/// CLMX_TEST_MOST_FLOPS leaves the larger cases out, for devices that check every access.
bool fits_here(const Cost& cost, const Device& device) {
  static const auto most = environment("CLMX_TEST_MOST_FLOPS");
  if (most && cost.flops > std::stod(*most)) return false;
  return fits(cost, device.info().device_class);
}

void check_case(const OpCase& op_case, const Device& device) {
  SCOPED_TRACE(op_case.name);
  Prepared& made = prepared(op_case);
  if (!fits_here(cost(op_case, made.inputs), device)) return;
  const Outputs got = run(op_case, made.inputs, device.default_stream());
  expect_match(got, made.wanted, op_case.traits.exact, "the reference");
  expect_accuracy(op_case, got, made.wanted);
  compare_bits(op_case, made, got, device);
}

struct OpOnDevice {
  std::string op, selector;
};

std::ostream& operator<<(std::ostream& out, const OpOnDevice& where) {
  return out << where.op << " on " << where.selector;
}

/// Evaluated after main has begun. Without devices the program fails in main.
std::vector<OpOnDevice> ops_on_devices() {
  std::vector<OpOnDevice> list;
  try {
    for (const Op& op : all_ops()) {
      for (const Device& device : test_devices()) list.push_back({op.name, device.info().selector});
    }
  } catch (const DeviceNotFound&) {
    list.clear();
  }
  return list;
}

std::string test_name(const testing::TestParamInfo<OpOnDevice>& info) {
  std::string name = info.param.op + "_on_" + info.param.selector;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

void check_cases(const OpOnDevice& where, bool full) {
  const Device device = Device::select(where.selector);
  const std::uint64_t launches = build_stats().launches;
  std::size_t count = 0;
  for (const OpCase* op_case : cases_of(where.op)) {
    if (op_case->traits.full != full) continue;
    check_case(*op_case, device);
    ++count;
  }
  if (count > 0 && !testing::Test::HasFailure() &&
      device.info().device_class != DeviceClass::emulated) {
    EXPECT_GT(build_stats().launches, launches) << "no kernel ran";
  }
}

class Cases : public testing::TestWithParam<OpOnDevice> {};
TEST_P(Cases, StayWithinTheirBudgets) {
  check_cases(GetParam(), false);
}
INSTANTIATE_TEST_SUITE_P(Fast, Cases, testing::ValuesIn(ops_on_devices()), test_name);

class CasesFull : public testing::TestWithParam<OpOnDevice> {};
TEST_P(CasesFull, StayWithinTheirBudgets) {
  check_cases(GetParam(), true);
}
INSTANTIATE_TEST_SUITE_P(All, CasesFull, testing::ValuesIn(ops_on_devices()), test_name);

class Refusals : public testing::TestWithParam<OpOnDevice> {};
TEST_P(Refusals, AreArgumentErrorsThatEnqueueNothing) {
  const Device device = Device::select(GetParam().selector);
  for (const Rejected& rejected : op_named(GetParam().op).rejected) {
    SCOPED_TRACE(rejected.why);
    const Inputs inputs = rejected.inputs();
    const Stream stream = device.default_stream();
    const std::uint64_t launches = build_stats().launches;
    EXPECT_THROW((void)op_named(GetParam().op).run(inputs, rejected.options, stream),
                 ArgumentError);
    if (GetParam().op == "cached_attention") continue;  // its appends are sound and come first
    EXPECT_EQ(build_stats().launches, launches) << "something was enqueued";
  }
}
INSTANTIATE_TEST_SUITE_P(Every, Refusals, testing::ValuesIn(ops_on_devices()), test_name);

TEST(CaseRegistry, NamesAreUniqueAndEveryOpHasCases) {
  std::set<std::string> names;
  for (const OpCase& op_case : all_cases()) {
    EXPECT_TRUE(names.insert(op_case.name).second) << op_case.name;
    EXPECT_NO_THROW((void)op_named(op_case.call.op)) << op_case.name;
  }
  for (const Op& op : all_ops()) EXPECT_FALSE(cases_of(op.name).empty()) << op.name;
}

TEST(CaseRegistry, EveryProductHasManyShapesInTheFullRun) {
  for (const char* op : {"quantized_matmul", "gather_qmm", "qqmm"}) {
    std::set<std::string> shapes;
    for (const OpCase* op_case : cases_of(op)) {
      if (!op_case->traits.full) continue;
      std::string all;
      for (const Array& input : op_case->inputs(seed)) all += testing::PrintToString(input.shape());
      shapes.insert(all);
    }
    EXPECT_GE(shapes.size(), 200u) << op;
  }
}

TEST(CaseCheck, FindsAnElementAboveItsBudget) {
  const Expected wanted{{3}, DType::f32, {1, 2, 3}, {1e-6, 1e-6, 1e-6}};
  const Verdict good = check(Array::from(std::vector<float>{1, 2, 3.000001f}, {3}), wanted);
  EXPECT_FALSE(good.mismatch);
  EXPECT_FALSE(good.bit_equal);
  const Verdict bad = check(Array::from(std::vector<float>{1, 2.00001f, 3}, {3}), wanted);
  ASSERT_TRUE(bad.mismatch);
  EXPECT_EQ(bad.mismatch->index, 1);
  EXPECT_GT(bad.worst, 1);
}

TEST(CaseCheck, WantsTheBitsOfExactOps) {
  const Expected wanted{{2}, DType::f32, {1, 0.0}, {}};
  EXPECT_FALSE(check(Array::from(std::vector<float>{1, 0.0f}, {2}), wanted).mismatch);
  EXPECT_TRUE(check(Array::from(std::vector<float>{1, -0.0f}, {2}), wanted).mismatch);
  EXPECT_TRUE(check(Array::from(std::vector<float>{1.0000001f, 0.0f}, {2}), wanted).mismatch);
}

TEST(CaseCheck, NeverTakesNanForANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Expected wanted{{1}, DType::f32, {1}, {1e9}};
  EXPECT_TRUE(check(Array::from(std::vector<float>{nan}, {1}), wanted).mismatch);
  const Expected undefined{{1}, DType::f32, {NAN}, {}};
  EXPECT_FALSE(check(Array::from(std::vector<float>{nan}, {1}), undefined).mismatch);
}

TEST(CaseCheck, TakesInfinityOnlyForWhatOverflows) {
  const std::vector<Half> inf{Half(INFINITY)};
  EXPECT_FALSE(check(Array::from(inf, {1}), Expected{{1}, DType::f16, {65530}, {1}}).mismatch);
  EXPECT_TRUE(check(Array::from(inf, {1}), Expected{{1}, DType::f16, {60000}, {1}}).mismatch);
  EXPECT_TRUE(check(Array::from(inf, {1}), Expected{{1}, DType::f16, {-70000}, {1}}).mismatch);
}

TEST(CaseCheck, ComparesShapesAndDtypes) {
  const Expected wanted{{2}, DType::f32, {1, 2}, {}};
  EXPECT_TRUE(check(Array::from(std::vector<float>{1, 2}, {2, 1}), wanted).mismatch);
  EXPECT_TRUE(check(Array::from(std::vector<Half>{Half(1), Half(2)}, {2}), wanted).mismatch);
}

}  // namespace
}  // namespace clmx
