#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_split.hpp"
#include "reference.hpp"

namespace clmx {
namespace {

std::function<Inputs()> zeros(const std::vector<Shape>& shapes, DType last) {
  return [=] {
    Inputs inputs;
    for (const Shape& shape : shapes) {
      const bool is_last = inputs.size() + 1 == shapes.size();
      const auto n = static_cast<std::size_t>(shape.elements());
      inputs.push_back(array_of(std::vector<double>(n), is_last ? last : DType::f32, shape));
    }
    return inputs;
  };
}

const RegisterOp<NoOptions> concatenate_op{
    .name = "concatenate",
    .run = [](const Inputs& in, const NoOptions&, const Stream& s) -> Outputs {
      return {concatenate(in, s)};
    },
    .reference = [](const Doubles& in, const NoOptions&) -> std::vector<Expected> {
      return {reference::concatenate(in)};
    },
    .cost = [](const Inputs& in, const NoOptions&) -> Cost {
      double bytes = 0;
      for (const Array& part : in) bytes += 2 * static_cast<double>(part.bytes());
      return {bytes, 0};
    },
    .rejected = {{"no parts", NoOptions{}, zeros({}, DType::f32)},
                 {"a scalar", NoOptions{}, zeros({Shape{}, Shape{}}, DType::f32)},
                 {"dtypes that differ", NoOptions{}, zeros({{2, 3}, {2, 3}}, DType::f16)},
                 {"rows that differ", NoOptions{}, zeros({{2, 3}, {4, 3}}, DType::f32)},
                 {"ranks that differ", NoOptions{}, zeros({{2, 3}, {1, 2, 3}}, DType::f32)}}};

const RegisterCases concatenate_cases{[] {
  const std::vector<std::vector<Shape>> lists{{{5}},
                                              {{1}, {4}, {257}},
                                              {{3, 5, 33}, {3, 5, 1}},
                                              {{7, 64}, {7, 3}, {7, 65}},
                                              {{9, 16}, {9, 0}, {9, 2}},
                                              {{0, 4}, {0, 6}},
                                              {{64, 288}, {64, 288}}};
  for (const DType dtype :
       {DType::f32, DType::f16, DType::bf16, DType::u8, DType::u32, DType::i32}) {
    for (const std::vector<Shape>& shapes : lists) {
      std::string name = join("concatenate/", dtype, '/');
      for (const Shape& shape : shapes) name += join(shape);
      add_case({name,
                OpCall{"concatenate", NoOptions{}},
                [=](std::uint64_t seed) {
                  Random random(seed);
                  Inputs inputs;
                  for (const Shape& shape : shapes)
                    inputs.push_back(is_float(dtype)
                                         ? random_array(Data::normal, dtype, shape, random)
                                         : random_integers(dtype, shape, random, 0, 200));
                  return inputs;
                },
                {}});
    }
  }
}};

}  // namespace
}  // namespace clmx
