#pragma once

#include <any>
#include <functional>
#include <string>
#include <vector>

#include "clmx/host/ops.hpp"

namespace clmx {

using Inputs = std::vector<Array>;
using Outputs = std::vector<Array>;

/// A stored array in float64: exact for every dtype that arrays have.
struct DoubleArray {
  Shape shape;
  DType dtype = DType::f32;
  std::vector<double> values;
};
using Doubles = std::vector<DoubleArray>;
DoubleArray widen(const Array& array);
Doubles widen(const Inputs& arrays);

/// What an op has to give. `budget`: the absolute error that is allowed per element before the one
/// rounding to `dtype`; empty for ops that are exact, whose bits must be those of the rounded
/// value.
struct Expected {
  Shape shape;
  DType dtype = DType::f32;
  std::vector<double> values, budget;
  /// Of sums: the budget is units 2^-24 A, A being the sum of the magnitudes of an element's terms;
  /// else 0.
  double units = 0;
  /// Of sums: the longest chain of additions before the tree, a group or a block of 256.
  std::int64_t chain = 0;
};

/// What a run moves and computes: the figures behind GB/s and GFLOP/s.
struct Cost {
  double bytes = 0, flops = 0;
};

/// An op by name with its typed options, as a tap delivers it.
struct OpCall {
  std::string op;
  std::any options;
};

/// Inputs that the op must refuse with an ArgumentError.
struct Rejected {
  std::string why;
  std::any options;
  std::function<Inputs()> inputs;
};

/// A registered op, its options type erased.
struct Op {
  std::string name;
  std::function<Outputs(const Inputs&, const std::any&, const Stream&)> run;
  std::function<std::vector<Expected>(const Doubles&, const std::any&)> reference;
  std::function<Cost(const Inputs&, const std::any&)> cost;
  std::vector<Rejected> rejected;
};

/// Cases that need more than a name, a call and inputs.
struct CaseTraits {
  bool exact = false;      ///< data on which every order of summation gives the reference's bits
  bool subnormal = false;  ///< inputs or intermediates that some devices flush to zero
  bool full = false;       ///< too large or too many for the fast run
};

struct OpCase {
  std::string name;
  OpCall call;
  std::function<Inputs(std::uint64_t seed)> inputs;
  CaseTraits traits;
};

/// In the order of registration, which may differ between builds; names are unique.
const std::vector<Op>& all_ops();
const std::vector<OpCase>& all_cases();
/// Throws ArgumentError when there is none of that name.
const Op& op_named(const std::string& name);
std::vector<const OpCase*> cases_of(const std::string& op);

Outputs run(const OpCase& op_case, const Inputs& inputs, const Stream& stream);
std::vector<Expected> expected(const OpCase& op_case, const Inputs& inputs);
Cost cost(const OpCase& op_case, const Inputs& inputs);
/// Emulated devices run only small cases: about 10^6 multiply-adds.
bool fits(const Cost& cost, DeviceClass device_class);

bool add_op(Op op);
bool add_case(OpCase op_case);

/// Registers an op when the program starts. Each function gets the options as their own type.
template <class Options>
struct RegisterOp {
  std::string name = {};
  std::function<Outputs(const Inputs&, const Options&, const Stream&)> run = {};
  std::function<std::vector<Expected>(const Doubles&, const Options&)> reference = {};
  std::function<Cost(const Inputs&, const Options&)> cost = {};
  std::vector<Rejected> rejected = {};
  bool registered = add_op(erased());

  Op erased() const {
    return {
        .name = name,
        .run = [f = run](const Inputs& in, const std::any& o,
                         const Stream& s) { return f(in, std::any_cast<const Options&>(o), s); },
        .reference = [f = reference](
                         const Doubles& in,
                         const std::any& o) { return f(in, std::any_cast<const Options&>(o)); },
        .cost = [f = cost](const Inputs& in,
                           const std::any& o) { return f(in, std::any_cast<const Options&>(o)); },
        .rejected = rejected};
  }
};

/// Registers one case when the program starts.
struct RegisterCase {
  RegisterCase(std::string name, OpCall call, std::function<Inputs(std::uint64_t)> inputs,
               CaseTraits traits = {}) {
    add_case({std::move(name), std::move(call), std::move(inputs), traits});
  }
};

/// Registers the cases that a function adds by add_case.
struct RegisterCases {
  explicit RegisterCases(void (*add)()) { add(); }
};

}  // namespace clmx
