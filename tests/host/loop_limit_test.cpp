#include "loop_limit.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "clmx/devices/error.hpp"
#include "ops_support.hpp"

// A device that ends long loops by itself gives wrong sums and no error: ops must refuse there, and
// be right everywhere else.
namespace clmx {
namespace {

using namespace testing_support;

Array filled(const Shape& shape, float value) {
  return Array::from(std::vector<float>(static_cast<std::size_t>(shape.elements()), value), shape);
}

using Compute = std::function<Array(std::int64_t, const Device&)>;

void expect_all(const Array& result, float right) {
  for (const float value : floats_of(result)) ASSERT_NEAR(value, right, 1e-3f);
}

/// Two sizes, the first just within 65535 turns: right(size) in all elements on every device. The
/// second, beyond them, is refused where loops are cut.
void expect_right_or_refused(const Compute& run, const std::array<std::int64_t, 2>& sizes,
                             const std::function<float(std::int64_t)>& right) {
  for (const Device& device : test_devices()) {
    SCOPED_TRACE(device.info().selector);
    expect_all(run(sizes[0], device), right(sizes[0]));
    if (loop_limit(device) == turns_tried) expect_all(run(sizes[1], device), right(sizes[1]));
    if (loop_limit(device) < turns_tried) expect_refused([&] { run(sizes[1], device); });
  }
}

/// Near the limit: right or refused, whatever the size.
void expect_never_wrong(const Compute& run, std::initializer_list<std::int64_t> sizes,
                        const std::function<float(std::int64_t)>& right) {
  for (const Device& device : test_devices()) {
    for (const std::int64_t size : sizes) {
      SCOPED_TRACE(device.info().selector + " at " + std::to_string(size));
      try {
        expect_all(run(size, device), right(size));
      } catch (const ArgumentError&) {
        EXPECT_LT(loop_limit(device), turns_tried);
      }
    }
  }
}

float size_itself(std::int64_t size) {
  return static_cast<float>(size);
}

TEST(LoopLimit, IsBeyondTheSizesOfModels) {
  for (const Device& device : test_devices()) {
    EXPECT_GT(loop_limit(device), 32768) << device.info().selector;
    EXPECT_LE(loop_limit(device), turns_tried) << device.info().selector;
    EXPECT_NO_THROW(require_turns(device, 32768, "op", "a size", 32768));
  }
}

TEST(LoopLimit, RefusesLongDenseProductsOrMultipliesThem) {
  const Compute run = [](std::int64_t k, const Device& d) {
    return matmul(filled({1, k}, 1), filled({k, 16}, 1), false, d);
  };
  expect_right_or_refused(run, {61000, 70000}, size_itself);
  expect_never_wrong(run, {61440, 61696, 61952, 62208, 62400, 62595}, size_itself);
}

TEST(LoopLimit, RefusesLongQuantizedProductsOrMultipliesThem) {
  const Compute run = [](std::int64_t k, const Device& d) {
    const std::vector<std::uint32_t> ones(count(3, k / 8), 0x11111111u);
    const QuantizedWeight w(Array::from(ones, {3, k / 8}), filled({3, k / 64}, 1),
                            filled({3, k / 64}, 0), {QuantizationMode::affine, 64, 4});
    return quantized_matmul(filled({1, k}, 1), w, {}, d);
  };
  expect_right_or_refused(run, {46976, 81920}, size_itself);
  expect_never_wrong(run, {47616, 47872, 48128, 48256, 48384, 48512, 48704}, size_itself);
}

TEST(LoopLimit, RefusesAttentionOverManyKeysOrAttendsToAll) {
  const Compute run = [](std::int64_t keys, const Device& d) {
    std::vector<float> values(count(keys, 2));
    std::fill_n(values.begin(), keys, 1.0f);  // the first half of the keys
    return scaled_dot_product_attention(filled({1, 1, 1, 2}, 1), filled({1, 1, keys, 2}, 1),
                                        Array::from(values, {1, 1, keys, 2}), {.scale = 1}, d);
  };
  const auto half = [](std::int64_t) { return 0.5f; };
  expect_right_or_refused(run, {28000, 66000}, half);
  expect_never_wrong(run, {28600, 29000, 29300, 29560, 29700, 29746}, half);
}

TEST(LoopLimit, RefusesNormsOfLongRowsOrNormalizesThem) {
  expect_right_or_refused(
      [](std::int64_t width, const Device& d) {
        return rms_norm(filled({1, width}, 2), std::nullopt, 0, d);
      },
      {349000, 1 << 21}, [](std::int64_t) { return 1.0f; });
}

TEST(LoopLimit, RefusesCentredNormsOfLongRowsOrNormalizesThem) {
  expect_right_or_refused(
      [](std::int64_t width, const Device& d) {
        std::vector<float> values(count(1, width));
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? 7.0f : 3.0f;
        const Array y =
            layer_norm(Array::from(values, {1, width}), std::nullopt, std::nullopt, 0, d);
        return multiply(y, y, d);  // of +1 and -1
      },
      {349000, 1 << 21}, [](std::int64_t) { return 1.0f; });
}

TEST(LoopLimit, RefusesSoftmaxOfLongRowsOrSumsThem) {
  expect_right_or_refused(
      [](std::int64_t width, const Device& d) {
        return multiply(softmax(filled({1, width}, 5), d), filled({1}, static_cast<float>(width)),
                        d);
      },
      {345000, 1 << 21}, [](std::int64_t) { return 1.0f; });
}

TEST(LoopLimit, RefusesTheLargestOfLongRowsOrFindsIt) {
  expect_right_or_refused(
      [](std::int64_t width, const Device& d) {
        std::vector<float> values(count(1, width));
        values.back() = 1;
        return cast(argmax(Array::from(values, {1, width}), d), DType::f32, d);
      },
      {1040000, 1 << 21}, [](std::int64_t width) { return static_cast<float>(width - 1); });
}

}  // namespace
}  // namespace clmx
