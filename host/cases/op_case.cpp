#include "op_case.hpp"

#include <algorithm>
#include <cmath>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

std::vector<Op>& ops() {
  static std::vector<Op> list;
  return list;
}

std::vector<OpCase>& cases() {
  static std::vector<OpCase> list;
  return list;
}

template <Element T>
std::vector<double> doubles(const Array& array) {
  const std::vector<T> values = array.to_vector<T>();
  std::vector<double> wide(values.size());
  std::transform(values.begin(), values.end(), wide.begin(), [](const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      return static_cast<double>(value);
    } else {
      return static_cast<double>(static_cast<float>(value));
    }
  });
  return wide;
}

}  // namespace

DoubleArray widen(const Array& array) {
  switch (array.dtype()) {
    case DType::f32:
      return {array.shape(), DType::f32, doubles<float>(array)};
    case DType::f16:
      return {array.shape(), DType::f16, doubles<Half>(array)};
    case DType::bf16:
      return {array.shape(), DType::bf16, doubles<BFloat16>(array)};
    case DType::u8:
      return {array.shape(), DType::u8, doubles<std::uint8_t>(array)};
    case DType::u32:
      return {array.shape(), DType::u32, doubles<std::uint32_t>(array)};
    case DType::i32:
      return {array.shape(), DType::i32, doubles<std::int32_t>(array)};
  }
  throw ArgumentError("[widen] unknown dtype");
}

Doubles widen(const Inputs& arrays) {
  Doubles wide;
  for (const Array& array : arrays) wide.push_back(widen(array));
  return wide;
}

const std::vector<Op>& all_ops() {
  return ops();
}
const std::vector<OpCase>& all_cases() {
  return cases();
}

const Op& op_named(const std::string& name) {
  const auto found =
      std::find_if(ops().begin(), ops().end(), [&](const Op& op) { return op.name == name; });
  require(found != ops().end(), "op_named", "no op is registered as ", name);
  return *found;
}

std::vector<const OpCase*> cases_of(const std::string& op) {
  std::vector<const OpCase*> list;
  for (const OpCase& op_case : cases()) {
    if (op_case.call.op == op) list.push_back(&op_case);
  }
  return list;
}

Outputs run(const OpCase& op_case, const Inputs& inputs, const Stream& stream) {
  return op_named(op_case.call.op).run(inputs, op_case.call.options, stream);
}

std::vector<Expected> expected(const OpCase& op_case, const Inputs& inputs) {
  return op_named(op_case.call.op).reference(widen(inputs), op_case.call.options);
}

Cost cost(const OpCase& op_case, const Inputs& inputs) {
  return op_named(op_case.call.op).cost(inputs, op_case.call.options);
}

bool fits(const Cost& cost, DeviceClass device_class) {
  constexpr double emulated_flops = 2e6;
  return device_class != DeviceClass::emulated || cost.flops <= emulated_flops;
}

bool add_op(Op op) {
  ops().push_back(std::move(op));
  return true;
}

bool add_case(OpCase op_case) {
  cases().push_back(std::move(op_case));
  return true;
}

}  // namespace clmx
