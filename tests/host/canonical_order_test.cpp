#include <gtest/gtest.h>

#include <bit>
#include <string>

#include "clmx/devices/error.hpp"
#include "quantized_support.hpp"
#include "tuning_quantized.hpp"

namespace clmx {
namespace {

using namespace testing_support;

const Format affine4_g32{{QuantizationMode::affine, 32, 4}, DType::f16};
const Format affine4_g64{{QuantizationMode::affine, 64, 4}, DType::bf16};
const Format affine8_g32{{QuantizationMode::affine, 32, 8}, DType::f16};
const Format affine8_g64{{QuantizationMode::affine, 64, 8}, DType::f32};
const Format mxfp4{{QuantizationMode::mxfp4, 32, 4}};
const std::vector<Format> formats{affine4_g32, affine4_g64, affine8_g32, affine8_g64, mxfp4};

std::string describe(const Device& device, const Format& f, const ProductShape& shape) {
  return join(device.info().selector, ' ', f.params.mode, f.params.bit_count(), '/',
              f.params.group(), " m ", shape.m, " n ", shape.n, " k ", shape.k);
}

/// Elements of y whose bits are not those of the host's recursion; at most about `samples` of them
/// are looked at.
std::size_t differing(const std::vector<float>& y, const QuantizedWeight& w,
                      const std::vector<float>& x, std::size_t samples) {
  const HostWeight host(w);
  const auto n = static_cast<std::size_t>(w.out_features());
  const auto k = static_cast<std::size_t>(w.in_features());
  std::size_t bad = 0;
  for (std::size_t i = 0; i < y.size(); i += 1 + y.size() / samples) {
    const float expected = canonical(host, i % n, &x[i / n * k]);
    bad += std::bit_cast<std::uint32_t>(expected) != std::bit_cast<std::uint32_t>(y[i]);
  }
  return bad;
}

/// The product by whatever kernel the device prefers, and by the plain one: both have the bits of
/// the host's recursion.
void expect_canonical(const Device& device, const Format& format, const ProductShape& shape,
                      float x_scale = 1.0f) {
  SCOPED_TRACE(describe(device, format, shape));
  const QuantizedWeight w = random_weight(shape.n, shape.k, format, 7);
  std::vector<float> x = normals(count(shape.m, shape.k), 11);
  for (float& v : x) v *= x_scale;
  const Array rows = Array::from(x, {shape.m, shape.k});
  const Array y = quantized_matmul(rows, w, {}, device);
  EXPECT_EQ(differing(y.to_vector<float>(), w, x, 400), 0u);
  const QuantizationParams& params = format.params;
  const Array plain = quantized_matmul(rows, w.packed(), w.scales(), w.biases(), true,
                                       params.group_size, params.bits, params.mode, {}, device);
  EXPECT_EQ(plain.to_vector<float>(), y.to_vector<float>());
}

TEST(CanonicalOrder, HoldsForOneRowAndAllWidths) {
  for (const Device& device : test_devices())
    for (const std::int64_t k : {64, 256, 320, 576, 1536, 4096})
      for (const Format& format : {affine4_g32, mxfp4})
        expect_canonical(device, format, {1, 37, k});
}

TEST(CanonicalOrder, HoldsForOneGroup) {
  for (const Device& device : test_devices())
    for (const Format& format : formats)
      expect_canonical(device, format, {1, 5, format.params.group()});
}

TEST(CanonicalOrder, HoldsForEveryFormat) {
  for (const Device& device : test_devices())
    for (const Format& format : formats)
      for (const std::int64_t m : {1, 9}) expect_canonical(device, format, {m, 70, 576});
}

TEST(CanonicalOrder, HoldsForRowsOffTheTile) {
  for (const Device& device : test_devices())
    for (const std::int64_t n : {1, 31, 33, 96, 129, 200})
      for (const std::int64_t m : {1, 2, 7, 11}) expect_canonical(device, affine4_g32, {m, n, 288});
}

TEST(CanonicalOrder, HoldsForManyBlocks) {
  for (const Device& device : test_devices())
    for (const std::int64_t k : {1536, 2048, 4096, 14336})
      expect_canonical(device, affine4_g64, {is_slow(device) ? 2 : 10, 40, k});
}

// Codes that stay in place in their word need x times a small power of two to be exact.
TEST(CanonicalOrder, HoldsForTinyRows) {
  for (const Device& device : test_devices()) {
    if (is_slow(device)) continue;  // it flushes denormals, outside of the promise
    for (const float scale : {0x1p-100f, 0x1p-104f, 0x1p-120f})
      for (const Format& format : {affine4_g32, affine8_g32})
        expect_canonical(device, format, {1, 64, 256}, scale);
  }
}

TEST(CanonicalOrder, RowOfManyHasTheBitsOfOne) {
  for (const Device& device : test_devices())
    for (const Format& format : {affine4_g32, affine8_g64, mxfp4}) {
      const std::int64_t m = is_slow(device) ? 16 : 512, n = is_slow(device) ? 48 : 160, k = 576;
      SCOPED_TRACE(describe(device, format, {m, n, k}));
      const QuantizedWeight w = random_weight(n, k, format, 3);
      const Array x = Array::from(normals(count(m, k), 5), {m, k});
      const std::vector<float> all = quantized_matmul(x, w, {}, device).to_vector<float>();
      for (const std::int64_t row : {std::int64_t{0}, std::int64_t{7}, m / 2, m - 1}) {
        const Array one = quantized_matmul(x.rows(row, row + 1), w, {}, device);
        const auto begin = all.begin() + row * n;
        EXPECT_EQ(one.to_vector<float>(), std::vector<float>(begin, begin + n));
      }
    }
}

TEST(CanonicalOrder, EveryDeviceHasTheSameBits) {
  std::vector<float> first;
  const QuantizedWeight w = random_weight(96, 576, affine4_g32, 21);
  const Array x = Array::from(normals(count(3, 576), 22), {3, 576});
  for (const Device& device : test_devices()) {
    const std::vector<float> y = quantized_matmul(x, w, {}, device).to_vector<float>();
    if (first.empty()) first = y;
    EXPECT_EQ(y, first) << device.info().selector;
  }
}

// Every number of rows in a block, by way of devices with different numbers of compute units.
TEST(TuningQuantized, ChoosesBlocksThatFillTheComputeUnits) {
  DeviceInfo device;
  device.type = DeviceType::cpu;
  device.device_class = DeviceClass::cpu_vector;
  device.compute_units = 2;
  EXPECT_EQ(choose_rows(device, 4096), 128);
  EXPECT_EQ(choose_rows(device, 960), 96);
  EXPECT_EQ(choose_rows(device, 640), 64);
  EXPECT_EQ(choose_rows(device, 20), 32);
  device.compute_units = 64;
  EXPECT_EQ(choose_rows(device, 4096), 64);
}

TEST(TuningQuantized, LeavesRowsAsTheyAreOnEmulatedDevices) {
  DeviceInfo device;
  device.device_class = DeviceClass::emulated;
  device.max_work_group_size = 1024;
  EXPECT_EQ(choose_rows(device, 4096), 0);
  EXPECT_EQ(choose_product(device, {8, 4096, 4096}).kernel, ProductKernel::plain);
}

DeviceInfo gpu(DeviceClass device_class, std::size_t work_group, int subgroup_size) {
  DeviceInfo device;
  device.type = DeviceType::gpu;
  device.device_class = device_class;
  device.compute_units = 8;
  device.max_work_group_size = work_group;
  device.subgroup_size = subgroup_size;
  return device;
}

TEST(TuningQuantized, GivesEveryRowALaneOnGpus) {
  const DeviceInfo plain = gpu(DeviceClass::gpu_plain, 64, 0);
  EXPECT_EQ(choose_rows(plain, 576), 64);
  EXPECT_EQ(choose_product(plain, {1, 576, 576}).kernel, ProductKernel::lanes);
  EXPECT_FALSE(choose_product(plain, {1, 576, 576}).subgroups);
  EXPECT_EQ(choose_rows(gpu(DeviceClass::gpu_subgroup, 256, 16), 576), 32);
  EXPECT_EQ(choose_rows(gpu(DeviceClass::gpu_subgroup, 256, 64), 576), 64);
  EXPECT_TRUE(choose_product(gpu(DeviceClass::gpu_subgroup, 256, 16), {1, 576, 576}).subgroups);
  EXPECT_EQ(choose_rows(gpu(DeviceClass::gpu_plain, 32, 0), 576), 32);
}

TEST(TuningQuantized, LeavesRowsAsTheyAreWhereWorkGroupsAreTooSmall) {
  const DeviceInfo tiny = gpu(DeviceClass::gpu_plain, 16, 0);
  EXPECT_EQ(choose_rows(tiny, 576), 0);
  EXPECT_EQ(choose_product(tiny, {1, 576, 576}).kernel, ProductKernel::plain);
}

TEST(TuningQuantized, SplitsBlocksOnlyWhereRowsDoNotFillTheGpu) {
  const DeviceInfo device = gpu(DeviceClass::gpu_plain, 64, 0);
  EXPECT_TRUE(choose_product(device, {1, 576, 576}).split);
  EXPECT_FALSE(choose_product(device, {1, 576, 256}).split);
  EXPECT_FALSE(choose_product(device, {1, 49152, 576}).split);
  EXPECT_FALSE(choose_product(device, {512, 576, 576}).split);
}

TEST(TuningQuantized, TakesSeveralRowsOfXPerLane) {
  const DeviceInfo device = gpu(DeviceClass::gpu_plain, 64, 0);
  EXPECT_EQ(choose_product(device, {1, 576, 576}).tokens, 1);
  EXPECT_EQ(choose_product(device, {3, 576, 576}).tokens, 4);
  EXPECT_EQ(choose_product(device, {512, 576, 576}).tokens, 8);
}

TEST(TuningQuantized, HasRoomForTheTreeOfEveryWidth) {
  const DeviceInfo device = gpu(DeviceClass::gpu_plain, 64, 0);
  for (const std::int64_t blocks : {1, 3, 127, 128, 129, 4096, 32768}) {
    const ProductTuning tuning = choose_product(device, {1, 64, blocks * 256});
    EXPECT_GT(std::int64_t{1} << tuning.depth, 2 * blocks - 2) << blocks;
  }
}

TEST(TuningQuantized, SendsFewRowsToTheVectorKernelAndMoreToTheTile) {
  DeviceInfo device;
  device.device_class = DeviceClass::cpu_vector;
  EXPECT_EQ(choose_product(device, {1, 576, 576}).kernel, ProductKernel::vector);
  EXPECT_EQ(choose_product(device, {8, 576, 576}).kernel, ProductKernel::tile);
  EXPECT_EQ(choose_product(device, {1, 64, std::int64_t{1} << 30}).kernel, ProductKernel::plain);
}

}  // namespace
}  // namespace clmx
