// Sums of up to 65,536 terms on every kind of data: what a product's error is bounded by grows with
// the chain of a group or block, not with K.
#include "clmx/devices/error.hpp"
#include "product_inputs.hpp"

namespace clmx {
namespace {

constexpr std::int64_t columns = 32;
constexpr std::array kinds{Data::normal,   Data::positive, Data::lognormal,
                           Data::integers, Data::one_hot,  Data::extreme};

struct LongSum {
  std::int64_t m, k;
  DType dtype;
  Data data;
  bool transpose;

  std::string name() const {
    return join(dtype, transpose ? "/t" : "/n", "/m", m, 'n', columns, 'k', k, '/',
                to_string(data));
  }
};

void add_quantized(const LongSum& sum, const QuantizationParams& params) {
  // The groups run along a row: along the sum, or across it.
  const std::int64_t across = std::max<std::int64_t>(columns, params.group());
  const std::int64_t rows = sum.transpose ? columns : sum.k, width = sum.transpose ? sum.k : across;
  add_case({join("quantized_matmul/long/", params.mode, params.bit_count(), "_g", params.group(),
                 '/', sum.name()),
            OpCall{"quantized_matmul", QuantizedMatmulOptions{params, false, {}, sum.transpose}},
            [=](std::uint64_t seed) {
              Random random(seed);
              const WeightSpec weight{sum.data, sum.dtype, params, rows, width, {}};
              return x_and_weight(sum.data, sum.dtype, {sum.m, sum.k}, weight, random);
            },
            {.exact = sum.data == Data::integers, .full = true}});
}

void add_dense(const LongSum& sum) {
  if (sum.data == Data::extreme) return;  // in both operands: sums beyond f16
  const Shape b = sum.transpose ? Shape{columns, sum.k} : Shape{sum.k, columns};
  add_case({join("matmul/long/", sum.name()),
            OpCall{"matmul", MatmulOptions{sum.transpose}},
            floats(sum.data, {sum.dtype, sum.dtype}, {{sum.m, sum.k}, b}),
            {.exact = sum.data == Data::integers, .full = true}});
}

void add_of_length(std::int64_t k) {
  for (const std::int64_t m : {1, 5}) {
    for (const DType dtype : float_types) {
      for (const Data data : kinds) {
        for (const bool transpose : {true, false}) {
          const LongSum sum{m, k, dtype, data, transpose};
          for (const QuantizationParams& params : {affine4_64, affine8_32, mxfp4})
            add_quantized(sum, params);
          add_dense(sum);
        }
      }
    }
  }
}

const RegisterCases long_sums{[] {
  for (const std::int64_t k : {4096, 16384, 65536}) add_of_length(k);
}};

}  // namespace
}  // namespace clmx
