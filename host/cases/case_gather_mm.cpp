#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "reference.hpp"

namespace clmx {
namespace {

// a, b, then those that there are of lhs and rhs.
GatherIndices indices_of(const Inputs& in, const GatherMmOptions& o) {
  GatherIndices at;
  if (o.has_lhs) at.lhs = in[2];
  if (o.has_rhs) at.rhs = in.back();
  return at;
}

Cost cost_of_gather(const Inputs& in, const GatherMmOptions& o) {
  const Shape &a = in[0].shape(), &b = in[1].shape();
  const GatherIndices at = indices_of(in, o);
  const Shape left = at.lhs ? at.lhs->shape() : a.slice(0, a.rank() - 2);
  const Shape right = at.rhs ? at.rhs->shape() : b.slice(0, b.rank() - 2);
  const auto products = static_cast<double>(broadcast(left, right, "cost").elements());
  double bytes = 0;
  for (const Array& array : in) bytes += static_cast<double>(array.bytes());
  return {bytes, 2 * products * static_cast<double>(a[-2] * b[-2] * b[-1])};
}

std::function<Inputs()> inputs_with(const Array& rhs, const Shape& a = {1, 2, 8},
                                    const Shape& b = {3, 8, 4}, DType type = DType::f32) {
  return [=] {
    Inputs inputs = ones({DType::f32, type}, {a, b})();
    inputs.push_back(rhs);
    return inputs;
  };
}

const GatherMmOptions by_rhs{.has_rhs = true};
const Array first = array_of({0}, DType::u32, {1});

const RegisterOp<GatherMmOptions> gather_mm_op{
    .name = "gather_mm",
    .run = [](const Inputs& in, const GatherMmOptions& o, const Stream& s) -> Outputs {
      return {gather_mm(in[0], in[1], indices_of(in, o), o.transpose_b, s)};
    },
    .reference = [](const Doubles& in, const GatherMmOptions& o) -> std::vector<Expected> {
      return {reference::gather_mm(in[0], in[1], o.has_lhs ? &in[2] : nullptr,
                                   o.has_rhs ? &in.back() : nullptr, o.transpose_b)};
    },
    .cost = cost_of_gather,
    .rejected = {{"an index past the end", by_rhs, inputs_with(array_of({3}, DType::u32, {1}))},
                 {"a negative index", by_rhs, inputs_with(array_of({-1}, DType::i32, {1}))},
                 {"indices that are no integers", by_rhs,
                  inputs_with(array_of({1}, DType::f32, {1}))},
                 {"indices that do not broadcast", by_rhs,
                  inputs_with(array_of({0, 1}, DType::u32, {2}), {3, 2, 8})},
                 {"a of one axis", by_rhs, inputs_with(first, {8})},
                 {"b of one axis", by_rhs, inputs_with(first, {1, 2, 8}, {8})},
                 {"an inner dimension that differs", by_rhs, inputs_with(first, {1, 2, 4})},
                 {"an inner dimension that differs, transposed",
                  GatherMmOptions{.transpose_b = true, .has_rhs = true}, inputs_with(first)},
                 {"an integer operand", by_rhs,
                  inputs_with(first, {1, 2, 8}, {3, 8, 4}, DType::i32)},
                 {"no experts", by_rhs, inputs_with(first, {1, 2, 8}, {0, 8, 4})}}};

/// Which sides are chosen by index, and the batch shapes: experts is a token's matrix by several.
enum class Gathers { none, rhs, lhs, both, experts, grid };
constexpr std::array all_gathers{Gathers::none, Gathers::rhs,     Gathers::lhs,
                                 Gathers::both, Gathers::experts, Gathers::grid};

struct Product {
  std::int64_t m = 1, k = 1, n = 1;
  DType a = DType::f32, b = DType::f32;
  Data data = Data::normal;
};

constexpr std::int64_t matrices = 3, experts = 4;

Inputs inputs_of(const Product& p, Gathers kind, bool transposed, std::uint64_t seed) {
  Random random(seed);
  const Shape of_a =
      kind == Gathers::experts || kind == Gathers::none ? Shape{matrices, 1} : Shape{matrices};
  const Shape b = transposed ? Shape{experts, p.n, p.k} : Shape{experts, p.k, p.n};
  Inputs in{random_array(p.data, p.a, joined(of_a, {p.m, p.k}), random),
            random_array(p.data, p.b, b, random)};
  const auto add = [&](DType type, const Shape& shape, std::int64_t count) {
    in.push_back(random_integers(type, shape, random, 0, count - 1));
  };
  if (kind == Gathers::lhs) add(DType::i32, {experts}, matrices);
  if (kind == Gathers::both) add(DType::u8, {5}, matrices);
  if (kind == Gathers::grid) add(DType::u32, {3, 1}, matrices);
  if (kind == Gathers::rhs) add(DType::u8, {matrices}, experts);
  if (kind == Gathers::both) add(DType::i32, {5}, experts);
  if (kind == Gathers::experts) add(DType::u32, {matrices, 2}, experts);
  if (kind == Gathers::grid) add(DType::i32, {2}, experts);
  return in;
}

void add_product(const Product& p, Gathers kind, CaseTraits traits = {}) {
  const std::array names{"none", "rhs", "lhs", "both", "experts", "grid"};
  const bool has_lhs = kind == Gathers::lhs || kind == Gathers::both || kind == Gathers::grid;
  const bool has_rhs = kind != Gathers::none && kind != Gathers::lhs;
  for (const bool transposed : {false, true}) {
    add_case(
        {join("gather_mm/", p.a, '_', p.b, '/', names.at(static_cast<std::size_t>(kind)), "/m", p.m,
              "k", p.k, "n", p.n, '/', to_string(p.data), transposed ? "/transposed" : ""),
         OpCall{"gather_mm", GatherMmOptions{transposed, has_lhs, has_rhs}},
         [=](std::uint64_t seed) { return inputs_of(p, kind, transposed, seed); }, traits});
  }
}

const RegisterCases cases{[] {
  for (const Gathers kind : all_gathers) {
    add_product({.m = 1, .k = 64, .n = 33}, kind);
    add_product({.m = 5, .k = 257, .n = 16, .data = Data::positive}, kind);
    add_product({.m = 9, .k = 100, .n = 21, .data = Data::integers}, kind, {.exact = true});
    add_product({.m = 8, .k = 1300, .n = 70, .data = Data::lognormal}, kind, {.full = true});
  }
  for (const DType a : float_types) {
    for (const DType b : float_types)
      add_product({.m = 2, .k = 130, .n = 19, .a = a, .b = b}, Gathers::experts, {.full = a != b});
  }
  add_product({.m = 3, .k = 0, .n = 2, .data = Data::zeros}, Gathers::experts, {.exact = true});
  add_product({.m = 0, .k = 8, .n = 2, .data = Data::zeros}, Gathers::experts, {.exact = true});
  add_product({.m = 3, .k = 8, .n = 0, .data = Data::zeros}, Gathers::rhs, {.exact = true});
  add_product({.m = 130, .k = 576, .n = 257}, Gathers::experts, {.full = true});
}};

}  // namespace
}  // namespace clmx
