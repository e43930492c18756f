#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"
#include "prepared_weight.hpp"
#include "quantized_support.hpp"
#include "row_parts.hpp"

// Tensors larger than a device's largest allocation. A run of its own lowers that to 1 MiB by
// CLMX_MAX_ALLOCATION; without it everything is in one part, with the same results.
namespace clmx {
namespace {

using namespace testing_support;

constexpr std::int64_t n = 4100, k = 576;
const Format affine{{QuantizationMode::affine, 32, 4}, DType::f16};

bool limited() {
  return environment("CLMX_MAX_ALLOCATION").has_value();
}

/// On the host, by rows of a weight that are a weight of their own and fit.
QuantizedWeight rows_of(const QuantizedWeight& w, std::int64_t begin, std::int64_t end) {
  const auto own = [&](const Array& all) {
    const Array part = all.rows(begin, end);
    std::vector<std::byte> bytes(part.bytes());
    part.read(bytes);
    return Array::from_bytes(bytes, part.shape(), part.dtype());
  };
  return {own(w.packed()), own(w.scales()), own(*w.biases()), w.params()};
}

TEST(LargeTensors, AreInSeveralPartsWhereAllocationsAreLimited) {
  const QuantizedWeight w = random_weight(n, k, affine, 1);
  for (const Device& device : test_devices()) {
    const auto parts = row_parts(w.packed(), device, 32);
    EXPECT_EQ(parts.size() > 1, limited()) << device.info().selector;
    EXPECT_EQ(parts.back().end, n);
  }
}

TEST(LargeTensors, MultiplyAsTheirRowsDo) {
  const QuantizedWeight w = random_weight(n, k, affine, 2);
  for (const Device& device : test_devices()) {
    if (is_slow(device)) continue;
    for (const std::int64_t m : {1, 5}) {
      const Array x = Array::from(normals(count(m, k), 3), {m, k});
      const Array bias = Array::from(normals(count(1, n), 4), {n});
      const auto y = quantized_matmul(x, w, {.bias = bias}, device).to_vector<float>();
      const auto loose =
          quantized_matmul(x, w.packed(), w.scales(), w.biases(), true, w.params().group(),
                           w.params().bit_count(), w.params().mode, {}, device)
              .to_vector<float>();
      for (const auto& [begin, end] : {std::pair{0, 700}, std::pair{3500, 4100}}) {
        const QuantizedWeight part = rows_of(w, begin, end);
        const auto wanted =
            quantized_matmul(x, part, {.bias = bias.rows(begin, end)}, device).to_vector<float>();
        const auto bare = quantized_matmul(x, part, {}, device).to_vector<float>();
        for (std::int64_t i = 0; i < m * (end - begin); ++i) {
          const std::size_t at = count(i / (end - begin), n) + count(1, begin + i % (end - begin));
          ASSERT_EQ(y[at], wanted[count(1, i)]) << device.info().selector << ' ' << i;
          ASSERT_EQ(loose[at], bare[count(1, i)]) << device.info().selector << ' ' << i;
        }
      }
    }
  }
}

TEST(LargeTensors, AreGatheredFromTheRightPart) {
  const QuantizedWeight w = random_weight(n, k, affine, 5);
  const Array table = Array::from(normals(count(n, k), 6), {n, k});
  const std::vector<std::int32_t> rows{0, 4099, 2048, -1, 911, 3000};
  const Array chosen = Array::from(rows, {6});
  for (const Device& device : test_devices()) {
    const auto dense = gather(table, chosen, device).to_vector<float>();
    const auto decoded = gather_dequantize(chosen, w, DType::f32, device).to_vector<float>();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::int64_t row = rows[i] < 0 ? rows[i] + n : rows[i];
      const auto wanted = table.rows(row, row + 1).to_vector<float>();
      const auto begin = static_cast<std::ptrdiff_t>(i) * k;
      EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), dense.begin() + begin)) << row;
      const Array first = Array::from(std::vector<std::int32_t>{0}, {1});
      const auto one =
          gather_dequantize(first, rows_of(w, row, row + 1), DType::f32, device).to_vector<float>();
      EXPECT_TRUE(std::equal(one.begin(), one.end(), decoded.begin() + begin)) << row;
    }
  }
}

TEST(LargeTensors, ReportOnlyIndicesOutsideOfAllParts) {
  const QuantizedWeight w = random_weight(n, k, affine, 5);
  const Array table = Array::from(normals(count(n, k), 6), {n, k});
  const std::vector<float> in_every_part{0, 4099, 2048, -1, 911, -4100};
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const auto gathered = [&](std::vector<float> rows, float last) {
      rows.push_back(last);
      const Array computed = cast(Array::from(rows, {7}), DType::i32, stream);
      gather(table, computed, stream).to_vector<float>();
      gather_dequantize(computed, w, {}, stream).map_bytes();
    };
    EXPECT_NO_THROW(gathered(in_every_part, 3000)) << device.info().selector;
    for (const float outside : {4100.0f, -4101.0f}) {
      EXPECT_THROW(gathered(in_every_part, outside), ArgumentError) << device.info().selector;
      EXPECT_NO_THROW(stream.synchronize());
    }
  }
}

TEST(LargeTensors, MultiplyDenselyAsTheirRowsDo) {
  const Array w = Array::from(normals(count(n, k), 7), {n, k});
  const Array x = Array::from(normals(count(2, k), 8), {2, k});
  for (const Device& device : test_devices()) {
    if (is_slow(device)) continue;
    const auto y = matmul(x, w, true, device).to_vector<float>();
    const auto tail = Array::from(w.rows(4000, n).to_vector<float>(), {100, k});
    const auto wanted = matmul(x, tail, true, device).to_vector<float>();
    for (std::size_t i = 0; i < 200; ++i)
      EXPECT_EQ(y[i / 100 * 4100 + 4000 + i % 100], wanted[i]) << device.info().selector;
  }
}

TEST(LargeTensors, OfManyMatricesMultiplyAsEachOfThemDoes) {
  const Array stack = Array::from(normals(count(n, k), 9), {10, n / 10, k});
  const Array x = Array::from(normals(count(3, k), 10), {3, 1, k});
  const std::vector<std::int32_t> chosen{9, 0, 4};
  for (const Device& device : test_devices()) {
    if (is_slow(device)) continue;
    const Array y = gather_mm(x, stack, {.rhs = Array::from(chosen, {3})}, true, device);
    for (std::int64_t z = 0; z < 3; ++z) {
      const std::int64_t e = chosen[static_cast<std::size_t>(z)];
      const Array own = Array::from(stack.rows(e, e + 1).to_vector<float>(), {stack.shape(1), k});
      const Array wanted = matmul(x.rows(z, z + 1).reshape({1, k}), own, true, device);
      EXPECT_EQ(y.rows(z, z + 1).to_vector<float>(), wanted.to_vector<float>());
    }
  }
}

TEST(LargeTensors, ThatCannotBeSplitSayWhatWasWantedAndWhatTheLimitIs) {
  for (const Device& device : test_devices()) {
    const auto limit = device.info().max_allocation_bytes;
    try {
      Array::empty({static_cast<std::int64_t>(limit / 4) + 1}, DType::f32, device.default_stream());
      ADD_FAILURE() << device.info().selector;
    } catch (const OutOfMemory& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find(std::to_string(limit)), std::string::npos) << text;
      EXPECT_NE(text.find(std::to_string(limit / 4 * 4 + 4)), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace clmx
