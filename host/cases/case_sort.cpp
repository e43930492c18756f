#include <array>
#include <cmath>
#include <limits>

#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "reference.hpp"

namespace clmx {
namespace {

constexpr std::array all_types{DType::f32, DType::f16, DType::bf16,
                               DType::u8,  DType::u32, DType::i32};

template <class Options>
Cost sort_cost(const Inputs& in, const Options&) {
  const auto n = static_cast<double>(in[0].size());
  const double width = in[0].size() > 0 ? static_cast<double>(in[0].shape(-1)) : 1;
  return {static_cast<double>(in[0].bytes()) + 4 * n, n * (64 + 2 * std::log2(width))};
}

std::function<Inputs()> zeros(DType dtype, const Shape& shape) {
  return [=] {
    const std::vector<double> values(static_cast<std::size_t>(shape.elements()));
    return Inputs{array_of(values, dtype, shape)};
  };
}

const RegisterOp<NoOptions> argsort_op{
    .name = "argsort",
    .run = [](const Inputs& in, const NoOptions&, const Stream& s) -> Outputs {
      return {argsort(in[0], s)};
    },
    .reference = [](const Doubles& in, const NoOptions&) -> std::vector<Expected> {
      return {reference::argsort(in[0])};
    },
    .cost = sort_cost<NoOptions>,
    .rejected = {{"a scalar", NoOptions{}, zeros(DType::f32, Shape{})}}};

const RegisterOp<TopKOptions> topk_op{
    .name = "topk",
    .run = [](const Inputs& in, const TopKOptions& o, const Stream& s) -> Outputs {
      const TopK top = topk(in[0], o.k, s);
      return {top.values, top.indices};
    },
    .reference = [](const Doubles& in, const TopKOptions& o) { return reference::topk(in[0], o); },
    .cost = sort_cost<TopKOptions>,
    .rejected = {{"a scalar", TopKOptions{0}, zeros(DType::f32, Shape{})},
                 {"more than there are", TopKOptions{5}, zeros(DType::f32, {3, 4})},
                 {"any of an empty row", TopKOptions{1}, zeros(DType::f32, {3, 0})},
                 {"a negative number", TopKOptions{-1}, zeros(DType::f32, {3, 4})}}};

/// Few values, so that many are equal, or many.
std::function<Inputs(std::uint64_t)> numbers(DType dtype, const Shape& shape, bool few) {
  return [=](std::uint64_t seed) {
    Random random(seed);
    if (is_float(dtype))
      return Inputs{random_array(few ? Data::integers : Data::extreme, dtype, shape, random)};
    const std::int64_t low = dtype == DType::i32 ? (few ? -3 : -1000000000) : 0;
    const std::int64_t high = few                   ? 3
                              : dtype == DType::u32 ? 4000000000
                              : dtype == DType::i32 ? 1000000000
                                                    : 255;
    return Inputs{random_integers(dtype, shape, random, low, high)};
  };
}

const RegisterCases sort_cases{[] {
  for (const DType dtype : all_types) {
    for (const Shape& shape :
         {Shape{1}, Shape{3, 2}, Shape{2, 5, 63}, Shape{7, 64}, Shape{3, 65}, Shape{4, 129},
          Shape{2, 1000}, Shape{3, 5000}, Shape{0, 8}, Shape{3, 0}}) {
      for (const bool few : {false, true}) {
        const std::string name = join('/', dtype, '/', shape, few ? "/few" : "/many");
        add_case(
            {"argsort" + name, OpCall{"argsort", NoOptions{}}, numbers(dtype, shape, few), {}});
        for (const std::int64_t k : {std::int64_t{0}, std::int64_t{1}, shape[-1] / 2, shape[-1]}) {
          if (k > shape[-1] || (k == 1 && shape[-1] < 4) || (k == 0 && shape[-1] != 64)) continue;
          add_case({join("topk", name, "/k", k),
                    OpCall{"topk", TopKOptions{k}},
                    numbers(dtype, shape, few),
                    {}});
        }
      }
    }
  }
  for (const DType dtype : float_types) {
    const auto special = [dtype](std::uint64_t) {
      const double nan = std::numeric_limits<double>::quiet_NaN();
      const double inf = std::numeric_limits<double>::infinity();
      return Inputs{array_of(
          {nan, 1, inf, nan, -inf, 0.0, -0.0, 0.0, nan, nan, nan, nan, -inf, inf, -inf, inf}, dtype,
          {2, 8})};
    };
    add_case({join("argsort/", dtype, "/special"), OpCall{"argsort", NoOptions{}}, special, {}});
    for (const std::int64_t k : {1, 3, 7})
      add_case(
          {join("topk/", dtype, "/special/k", k), OpCall{"topk", TopKOptions{k}}, special, {}});
  }
}};

}  // namespace
}  // namespace clmx
