#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "covering.hpp"
#include "devices/test_kernels.hpp"
#include "host_activation.hpp"
#include "ops_support.hpp"
#include "quantized_inputs.hpp"
#include "reference_decode.hpp"

namespace clmx {
namespace {

using namespace testing_support;
using testing::HasSubstr;

/// A weight of any format, its numbers at hand.
struct Made {
  Inputs parts;
  QuantizationParams params;
  std::optional<Array> global_scale;
  Doubles wide;

  Made(const WeightSpec& spec, bool global, std::uint64_t seed) : params(spec.params) {
    Random random(seed);
    append_weight(parts, spec, random);
    if (global) {
      Inputs scale;
      append_global_scale(scale, spec, spec.batch.rank() > 0, random);
      global_scale = scale.front();
    }
    wide = widen(parts);
    if (global) wide.push_back(widen(*global_scale));
  }
  std::optional<Array> biases() const {
    if (!is_affine(params)) return {};
    return parts[2];
  }
  QuantizedWeight weight() const { return {parts[0], parts[1], biases(), params, global_scale}; }
  reference::Weight stored() const {
    return {wide[0], wide[1], is_affine(params) ? &wide[2] : nullptr, params};
  }
  /// r32(scale * r32(global / 2688)).
  float scale(std::size_t matrix, std::size_t group) const {
    const auto scale = static_cast<float>(reference::scale_value(stored(), group));
    if (!global_scale) return scale;
    return scale * (static_cast<float>(wide.back().values[matrix]) / 2688.0f);
  }
};

std::size_t size_of_axis(const Array& array, int axis) {
  return static_cast<std::size_t>(array.shape(axis));
}

/// x W^T of one row of the weight in the canonical order of docs/architecture.md.
float along_row(const Made& w, std::size_t matrix, std::size_t n, const float* x) {
  const reference::Weight stored = w.stored();
  const auto group = static_cast<std::size_t>(w.params.group());
  const std::size_t groups = size_of_axis(w.parts[1], -1);
  const std::size_t row = matrix * size_of_axis(w.parts[0], -2) + n;
  std::vector<float> blocks;
  for (std::size_t g = 0; g < groups;) {
    float t = 0, u = 0;
    for (const std::size_t end = std::min(groups, g + 256 / group); g < end; ++g) {
      float a = 0, sum = 0;
      for (std::size_t k = g * group; k < (g + 1) * group; ++k) {
        const double code = reference::element_value(w.params, reference::code_at(stored, row, k));
        a = std::fma(static_cast<float>(code), x[k], a);
        sum += x[k];
      }
      t = std::fma(w.scale(matrix, row * groups + g), a, t);
      if (stored.biases)
        u = std::fma(static_cast<float>(stored.biases->values[row * groups + g]), sum, u);
    }
    blocks.push_back(stored.biases ? t + u : t);
  }
  return tree(blocks.data(), blocks.size()) + 0.0f;
}

/// x W of one column.
float along_column(const Made& w, std::size_t matrix, std::size_t n, const float* x) {
  const reference::Weight stored = w.stored();
  const std::size_t rows = size_of_axis(w.parts[0], -2), groups = size_of_axis(w.parts[1], -1);
  std::vector<float> blocks;
  for (std::size_t first = 0; first < rows; first += 256) {
    float t = 0;
    for (std::size_t k = first; k < std::min(rows, first + 256); ++k) {
      const std::size_t row = matrix * rows + k,
                        g = row * groups + n / static_cast<std::size_t>(w.params.group());
      const auto c = static_cast<float>(
          reference::element_value(w.params, reference::code_at(stored, row, n)));
      const float value = stored.biases ? std::fma(w.scale(matrix, g), c,
                                                   static_cast<float>(stored.biases->values[g]))
                                        : w.scale(matrix, g) * c;
      t = std::fma(value, x[k], t);
    }
    blocks.push_back(t);
  }
  return tree(blocks.data(), blocks.size()) + 0.0f;
}

/// By the kernels for one row and for several, transposed and not.
void expect_canonical(const std::vector<QuantizationParams>& formats) {
  for (const QuantizationParams& params : formats) {
    for (const bool transpose : {true, false}) {
      const std::int64_t rows = transpose ? 3 : 600, width = 5 * params.group();
      const bool global = params.mode == QuantizationMode::nvfp4;
      const Made made({.params = params, .rows = rows, .width = width}, global, 4);
      const std::int64_t k = transpose ? width : rows, n = transpose ? rows : width;
      const std::vector<float> x = normals(count(5, k), 5);
      std::vector<float> wanted;
      for (std::size_t m = 0; m < 5; ++m) {
        for (std::size_t j = 0; j < static_cast<std::size_t>(n); ++j) {
          const float* row = x.data() + m * static_cast<std::size_t>(k);
          wanted.push_back(transpose ? along_row(made, 0, j, row) : along_column(made, 0, j, row));
        }
      }
      for (const Device& device : test_devices()) {
        const QuantizedWeight w = made.weight();
        const Array all = Array::from(x, {5, k});
        const QmmOptions options{.transpose = transpose};
        EXPECT_EQ(quantized_matmul(all, w, options, device).to_vector<float>(), wanted)
            << device.info().selector << ' ' << params.mode << params.bit_count() << " g"
            << params.group() << (transpose ? " transposed" : "");
        const auto row = quantized_matmul(all.rows(0, 1), w, options, device).to_vector<float>();
        EXPECT_EQ(row, std::vector<float>(wanted.begin(), wanted.begin() + n));
      }
    }
  }
}

const std::vector<QuantizationParams> some_formats{
    {QuantizationMode::affine, 128, 2}, {QuantizationMode::affine, 32, 3}, mxfp8, nvfp4};

TEST(Products, AreInTheCanonicalOrder) {
  expect_canonical(some_formats);
}

TEST(ProductsFull, AreInTheCanonicalOrderInEveryFormat) {
  expect_canonical(every_format());
}

/// Matrix e of a stack, as a weight of its own.
QuantizedWeight one_of(const Made& stack, std::int64_t e) {
  const auto matrix = [&](const Array& array) {
    return array.rows(e, e + 1).reshape(array.shape().slice(1, array.rank()));
  };
  std::optional<Array> biases, global;
  if (stack.biases()) biases = matrix(*stack.biases());
  if (stack.global_scale) global = stack.global_scale->rows(e, e + 1);
  return {matrix(stack.parts[0]), matrix(stack.parts[1]), biases, stack.params, global};
}

TEST(Products, OfStacksHaveTheBitsOfTheirMatrices) {
  for (const Device& device : test_devices()) {
    for (const QuantizationParams& params : some_formats) {
      const bool global = params.mode == QuantizationMode::nvfp4;
      const Made made({.params = params, .rows = 128, .width = 128, .batch = {3}}, global, 1);
      const Array x = normal_array({2, 1, 5, 128}, 6);
      for (const bool transpose : {true, false}) {
        const QmmOptions options{.transpose = transpose};
        const Array y = quantized_matmul(x, made.weight(), options, device);
        ASSERT_EQ(y.shape(), (Shape{2, 3, 5, 128}));
        const Array flat = y.reshape({6, 5, 128});
        const Array gathered =
            gather_qmm(x, made.weight(),
                       {.lhs = Array::from(std::vector<std::int32_t>{1, 0}, {2}),
                        .rhs = Array::from(std::vector<std::uint8_t>{2, 1}, {2})},
                       options, device);
        ASSERT_EQ(gathered.shape(), (Shape{2, 5, 128}));
        for (const int b : {0, 1}) {
          for (const int e : {0, 1, 2}) {
            const Array one = quantized_matmul(x.rows(b, b + 1).reshape({5, 128}), one_of(made, e),
                                               options, device);
            const auto wanted = bits_of(one);
            EXPECT_EQ(bits_of(flat.rows(3 * b + e, 3 * b + e + 1)), wanted);
            if (b == 1 && e == 2) {
              EXPECT_EQ(bits_of(gathered.rows(0, 1)), wanted);
            }
            if (b == 0 && e == 1) {
              EXPECT_EQ(bits_of(gathered.rows(1, 2)), wanted);
            }
          }
        }
      }
    }
  }
}

TEST(Products, FillInMissingIndicesAndRunWithoutAny) {
  const Made made({.rows = 4, .width = 64, .batch = {3}}, false, 2);
  const QuantizedWeight w = made.weight();
  const Array x = normal_array({3, 2, 64}, 7);
  const Array each = Array::from(std::vector<std::uint32_t>{0, 1, 2}, {3});
  for (const Device& device : test_devices()) {
    const auto wanted = bits_of(quantized_matmul(x, w, {}, device));
    EXPECT_EQ(bits_of(gather_qmm(x, w, {}, {}, device)), wanted);
    EXPECT_EQ(bits_of(gather_qmm(x, w, {.lhs = each}, {}, device)), wanted);
    EXPECT_EQ(bits_of(gather_qmm(x, w, {.rhs = each, .sorted = true}, {}, device)), wanted);
    const Array loose = gather_qmm(x, made.parts[0], made.parts[1], made.parts[2], {}, each, true,
                                   {}, {}, QuantizationMode::affine, false, {}, device);
    EXPECT_EQ(bits_of(loose), wanted);
  }
}

TEST(Products, ReportIndicesThatADeviceComputed) {
  const Made made({.rows = 4, .width = 64, .batch = {3}}, false, 2);
  const Array x = normal_array({3, 2, 64}, 7);
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const auto gathered = [&](std::int32_t last) {
      const Array rhs = cast(Array::from(std::vector<float>{2, 0, static_cast<float>(last)}, {3}),
                             DType::i32, stream);
      return gather_qmm(x, made.weight(), {.rhs = rhs}, {}, stream);
    };
    const Array rhs = Array::from(std::vector<std::int32_t>{2, 0, 1}, {3});
    EXPECT_EQ(bits_of(gathered(1)),
              bits_of(gather_qmm(x, made.weight(), {.rhs = rhs}, {}, stream)));
    for (const std::int32_t wrong : {3, -1}) {
      const Array y = gathered(wrong);
      EXPECT_THAT(message_of<ArgumentError>([&] { y.to_vector<float>(); }),
                  HasSubstr("[gather_qmm] index " + std::to_string(wrong)));
    }
  }
}

TEST(Products, OfNothingAreEmptyOrZero) {
  for (const Device& device : test_devices()) {
    const QuantizedWeight wide = Made({.rows = 0, .width = 64}, false, 1).weight();
    const Array none = Array::from(std::vector<float>{}, {2, 0});
    const auto zeros = quantized_matmul(none, wide, {.transpose = false}, device);
    EXPECT_EQ(zeros.shape(), (Shape{2, 64}));
    EXPECT_EQ(zeros.to_vector<float>(), std::vector<float>(128));
    EXPECT_EQ(quantized_matmul(normal_array({2, 64}, 1), wide, {}, device).shape(), (Shape{2, 0}));
    const QuantizedWeight stack = Made({.rows = 4, .width = 64, .batch = {3}}, false, 1).weight();
    const Array no_index = Array::from(std::vector<std::uint32_t>{}, {0});
    EXPECT_EQ(gather_qmm(normal_array({1, 2, 64}, 1), stack, {.rhs = no_index}, {}, device).shape(),
              (Shape{0, 2, 4}));
    EXPECT_EQ(
        quantized_matmul(Array::from(std::vector<float>{}, {3, 0, 64}), stack, {}, device).shape(),
        (Shape{3, 0, 4}));
  }
}

TEST(Products, RefuseStacksWithoutBatchAxesInX) {
  const QuantizedWeight stack = Made({.rows = 4, .width = 64, .batch = {3}}, false, 1).weight();
  expect_refused([&] { (void)quantized_matmul(normal_array({2, 64}, 1), stack); });
  expect_refused([&] { (void)quantized_matmul(normal_array({64}, 1), stack); });
  expect_refused([&] { (void)quantized_matmul(normal_array({2, 2, 64}, 1), stack); });
  expect_refused([&] { (void)qqmm(normal_array({2, 64}, 1), stack); });
}

TEST(Qqmm, RoundsTheActivationAndMultiplies) {
  for (const QuantizationParams& params : {mxfp4, mxfp8, nvfp4}) {
    for (const DType dtype : float_types) {
      const Made made({.params = params, .rows = 7, .width = 96}, false, 3);
      Random random(8);
      const Array x = random_array(Data::lognormal, dtype, {5, 96}, random);
      const DoubleArray seen = reference::rounded_activation(widen(x), params, nullptr);
      const Array rounded = array_of(seen.values, dtype, {5, 96});
      EXPECT_EQ(bits_of(activation_on_host(x, params.mode, {})), bits_of(rounded));
      for (const Device& device : test_devices()) {
        EXPECT_EQ(bits_of(qqmm(x, made.weight(), {}, device)),
                  bits_of(quantized_matmul(rounded, made.weight(), {}, device)))
            << device.info().selector << ' ' << params.mode << ' ' << dtype;
      }
    }
  }
}

TEST(Qqmm, QuantizesADenseWeightFirstAndTakesGlobalScales) {
  const Array x = normal_array({3, 64}, 1), w = normal_array({5, 64}, 2);
  const Array of_x = Array(3.0f), of_w = Array(4.0f);
  for (const Device& device : test_devices()) {
    const QuantizedWeight weight = quantize(w, QuantizeOptions{nvfp4}, of_w, device);
    EXPECT_EQ(bits_of(qqmm(x, w, {}, {}, {}, QuantizationMode::nvfp4, of_x, of_w, device)),
              bits_of(qqmm(x, weight, of_x, device)));
    expect_refused([&] { (void)qqmm(x, weight, {}, device); });
    expect_refused([&] { (void)qqmm(x, w, {}, {}, {}, QuantizationMode::affine, {}, {}, device); });
  }
}

TEST(Covering, HasEveryAllowedPair) {
  CoveringPlan plan;
  plan.options = {5, 3, 4, 2};
  plan.allows = [](const Choices& row) { return row[0] != 0 || row[1] == 0; };
  plan.least = 30;
  const std::vector<Choices> rows = covering_rows(plan);
  EXPECT_GE(rows.size(), 30u);
  std::set<std::vector<int>> pairs;
  for (const Choices& row : rows) {
    EXPECT_TRUE(plan.allows(row));
    for (int i = 0; i < 4; ++i)
      for (int j = i + 1; j < 4; ++j)
        pairs.insert({i, row[static_cast<std::size_t>(i)], j, row[static_cast<std::size_t>(j)]});
  }
  const std::size_t all = 5 * 3 + 5 * 4 + 5 * 2 + 3 * 4 + 3 * 2 + 4 * 2, forbidden = 2;
  EXPECT_EQ(pairs.size(), all - forbidden);
  EXPECT_EQ(rows, covering_rows(plan));
}

}  // namespace
}  // namespace clmx
