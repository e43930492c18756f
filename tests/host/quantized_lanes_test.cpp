#include <gtest/gtest.h>

#include <iostream>

#include "clmx/devices/error.hpp"
#include "clmx/host/self_check.hpp"
#include "probe_subgroup.hpp"
#include "quantized_product.hpp"
#include "quantized_support.hpp"
#include "row_parts.hpp"

namespace clmx {
namespace {

using namespace testing_support;

const std::vector<Format> formats{{{QuantizationMode::affine, 32, 4}, DType::f16},
                                  {{QuantizationMode::affine, 64, 8}, DType::f32},
                                  {{QuantizationMode::mxfp4, 32, 4}}};

/// The product by the lanes kernels in just this tuning, whatever the class of the device.
std::vector<float> product(const Device& device, const QuantizedWeight& w, const Array& x,
                           ProductTuning tuning) {
  const Stream stream = device.default_stream();
  tuning.kernel = ProductKernel::lanes;
  tuning.work_items = tuning.rows;
  tuning.depth = 8;
  const ProductShape shape{x.shape(0), w.out_features(), w.in_features()};
  const Product p{x, w, {}, DType::f32, shape, true};
  const Array out = Array::empty({shape.m, shape.n}, DType::f32, stream);
  for (const WeightRows& rows : weight_rows(w, tuning.rows, stream))
    run_product(p, tuning, rows, out, stream);
  return out.to_vector<float>();
}

void expect_bits_of_other_kernels(const Device& device, const Format& format,
                                  const ProductTuning& tuning, std::int64_t m) {
  SCOPED_TRACE(join(device.info().selector, ' ', format.params.mode, " rows ", tuning.rows,
                    " tokens ", tuning.tokens, " split ", tuning.split, " sub-groups ",
                    tuning.subgroups, ' ', tuning.subgroup_size, " m ", m));
  const QuantizedWeight w = random_weight(70, 576, format, 7);
  const Array x = Array::from(normals(count(m, 576), 11), {m, 576});
  const Array y = quantized_matmul(x, w, {}, device);
  EXPECT_EQ(product(device, w, x, tuning), y.to_vector<float>());
}

void expect_bits_in_every_form(const Device& device, const Format& format, int rows) {
  for (const bool split : {false, true})
    for (const int tokens : {1, 4, 8})
      expect_bits_of_other_kernels(device, format, {.rows = rows, .tokens = tokens, .split = split},
                                   2 * tokens - 1);
}

TEST(QuantizedLanes, HaveTheBitsOfOtherKernels) {
  for (const Device& device : test_devices())
    if (!is_slow(device)) expect_bits_in_every_form(device, formats.front(), 64);
}

TEST(QuantizedLanesFull, HaveTheBitsOfOtherKernelsInEveryForm) {
  for (const Device& device : test_devices())
    for (const Format& format : formats)
      for (const int rows : {32, 64}) expect_bits_in_every_form(device, format, rows);
}

/// How many forms there are, of one format, in which the compiler takes sub-groups of this size.
int forms_in_subgroups_of(const Device& device, const Format& format, int size) {
  int forms = 0;
  for (const int tokens : {1, 8}) try {
      const ProductTuning tuning{.rows = 64,
                                 .tokens = tokens,
                                 .split = tokens == 1,
                                 .subgroups = true,
                                 .subgroup_size = size};
      expect_bits_of_other_kernels(device, format, tuning, tokens + 1);
      ++forms;
    } catch (const KernelBuildError&) {
    }
  return forms;
}

TEST(QuantizedLanes, HaveTheSameBitsInSubGroups) {
  for (const Device& device : test_devices())
    if (has_proved(device, "subgroup")) {
      EXPECT_EQ(forms_in_subgroups_of(device, formats.front(), 0), 2);
    }
}

// A compiler may refuse a size; where it takes one, the bits are the same.
TEST(QuantizedLanesFull, HaveTheSameBitsInSubGroupsOfAnySize) {
  for (const Device& device : test_devices()) {
    if (!has_proved(device, "subgroup")) continue;
    int forms = 0;
    for (const Format& format : formats)
      for (const int size : {4, 8, 16, 32, 64})
        forms += forms_in_subgroups_of(device, format, size);
    std::cout << device.info().selector << ": " << forms << " of 30 forms\n";
    EXPECT_GT(forms, 0);
  }
}

TEST(QuantizedLanes, SubGroupsAreNotTriedWhereTheDeviceHasNone) {
  for (const Device& device : test_devices()) {
    if (device.info().subgroup_size > 0) continue;
    EXPECT_FALSE(has_proved(device, "subgroup")) << device.info().selector;
  }
}

TEST(SubgroupLanguage, IsTheNewestThatTheDeviceSpeaks) {
  DeviceInfo device;
  for (const auto& [version, language] :
       {std::pair{"OpenCL C 1.2 PoCL", 120}, std::pair{"OpenCL C 2.0 ", 200},
        std::pair{"OpenCL C 3.1", 300}, std::pair{"", 120}}) {
    device.opencl_c_version = version;
    EXPECT_EQ(subgroup_language(device), language) << version;
  }
}

TEST(SplitRows, KeepsPartsWithinTheLimitAtMultiples) {
  const auto parts = split_rows(1000, 100, 20'000, 32);
  ASSERT_EQ(parts.size(), 6u);
  EXPECT_EQ(parts[0].begin, 0);
  EXPECT_EQ(parts[0].end, 192);
  EXPECT_EQ(parts[5].begin, 960);
  EXPECT_EQ(parts[5].end, 1000);
}

TEST(SplitRows, GivesOnePartToWhatFitsAndAMultipleAtLeast) {
  EXPECT_EQ(split_rows(1000, 100, 100'000, 1).size(), 1u);
  EXPECT_EQ(split_rows(3, 100, 10, 1).size(), 3u);
  EXPECT_EQ(split_rows(64, 100, 10, 32).size(), 2u);
  EXPECT_TRUE(split_rows(0, 100, 10, 1).empty());
}

}  // namespace
}  // namespace clmx
