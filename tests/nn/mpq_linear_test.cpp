#include "clmx/nn/mpq_linear.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/quantize.hpp"
#include "clmx/nn/sequential.hpp"
#include "support/temp_folder.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

using testing::HasSubstr;

template <class F>
std::string argument_error(F f) {
  try {
    f();
  } catch (const ArgumentError& error) {
    return error.what();
  }
  return "";
}

MPQLinearOptions small(MPQStatistics statistics = MPQStatistics::expanded) {
  return {.in_channels = 128,
          .out_channels = 32,
          .group_size = 64,
          .dq_group_size = 16,
          .disable_bias = false,
          .statistics = statistics};
}

Array words(const Shape& shape, Random& random) {
  return random_integers(DType::i32, shape, random, INT32_MIN, INT32_MAX);
}

MPQLinearTensors random_tensors(const MPQLinearOptions& o, std::uint64_t seed = 1) {
  Random random(seed);
  const std::int64_t groups = o.in_channels / o.group_size, columns = o.out_channels / 16;
  const auto halves = [&](const Shape& shape, double scale) {
    return random_array(Data::positive, DType::f16, shape, random, scale);
  };
  const Shape cells{groups, columns, 1};
  MPQLinearTensors t{words({o.in_channels / 32 * o.w_bit, o.out_channels}, random)};
  t.qstatistic = random_integers(DType::u8, {groups, columns, 16}, random, 0, 255);
  t.qscales_zeros = halves(cells, 4);
  t.qscales_scales = halves(cells, 0.01);
  t.qzeros_zeros = halves(cells, 4);
  t.qzeros_scales = halves(cells, 0.02);
  t.bias = random_array(Data::normal, DType::f16, {o.out_channels}, random);
  return t;
}

MPQLinear made(MPQStatistics statistics = MPQStatistics::expanded) {
  return MPQLinear(small(statistics), random_tensors(small()));
}

Array input(DType dtype = DType::f16) {
  Random random(7);
  return random_array(Data::normal, dtype, {2, 3, 128}, random);
}

TEST(MPQLinear, NamesEveryViolatedRule) {
  const std::string said = argument_error([] {
    MPQLinear({.in_channels = 100,
               .out_channels = 30,
               .a_bit = 8,
               .w_bit = 3,
               .dtype = DType::f32,
               .group_size = 16,
               .dq_group_size = 7,
               .dq_mode = 1});
  });
  for (const char* rule :
       {"w_bit must be 2, 4 or 8, not 3", "a_bit must be 16, not 8", "dtype must be f16, not f32",
        "group_size must be 32, 64 or 128, not 16", "in_channels 100 must be a multiple of 32",
        "dq_group_size 7 must divide out_channels 30", "dq_mode 1 needs asym and w_bit 2"})
    EXPECT_THAT(said, HasSubstr(rule));
  EXPECT_THAT(argument_error([] { MPQLinear({.in_channels = 64, .group_size = 64}); }),
              HasSubstr("out_channels must be positive and at most 2^31 - 1, not 0"));
  EXPECT_THAT(argument_error([] { MPQLinear({.in_channels = 256, .out_channels = 32}); }),
              HasSubstr("not 256"))
      << "group_size -1 is in_channels";
  EXPECT_EQ(MPQLinear({.in_channels = 64, .out_channels = 32}).options().group_size, 64);
  EXPECT_THAT(argument_error([] {
                MPQLinear({.in_channels = 64, .out_channels = 33, .use_gba_quant = false});
              }),
              HasSubstr("multiple of 32"));
  EXPECT_THAT(argument_error([] {
                MPQLinear({.in_channels = 64,
                           .out_channels = 32,
                           .asym = true,
                           .statistics = MPQStatistics::direct});
              }),
              HasSubstr("direct statistics need"));
}

TEST(MPQLinear, NamesTheTensorThatDoesNotFit) {
  MPQLinearTensors tensors = random_tensors(small());
  tensors.qzeros_scales.reset();
  EXPECT_THAT(argument_error([&] { MPQLinear(small(), tensors); }),
              HasSubstr("qzeros_scales is missing"));
  tensors = random_tensors(small());
  tensors.qzeros = tensors.qweight;
  EXPECT_THAT(argument_error([&] { MPQLinear(small(), tensors); }), HasSubstr("qzeros is given"));
  tensors = random_tensors(small());
  tensors.qstatistic = Array::from(std::vector<std::uint8_t>(64), Shape{2, 1, 32});
  EXPECT_THAT(argument_error([&] { MPQLinear(small(), tensors); }), HasSubstr("qstatistic is u8"));
}

TEST(MPQLinear, WantsToBePreparedBeforeForward) {
  const Device device = test_devices().front();
  MPQLinear layer = made();
  EXPECT_THAT(argument_error([&] { (void)layer.forward(input(), device); }),
              HasSubstr("forward needs prepare_params()"));
  EXPECT_THAT(argument_error([&] { (void)layer.scales(); }), HasSubstr("prepare_params()"));
  EXPECT_EQ(layer.qweight().dtype(), DType::i32);
  layer.prepare_params();
  layer.prepare_params();
  EXPECT_EQ(layer.qweight().shape(), (Shape{32, 16}));
  EXPECT_EQ(layer.scales().shape(), (Shape{32, 2}));
  EXPECT_EQ(layer.zeros().dtype(), DType::f16);
  const Array y = layer.forward(input(DType::f32), device);
  EXPECT_EQ(y.dtype(), DType::f16);
  EXPECT_EQ(y.shape(), (Shape{2, 3, 32}));
}

TEST(MPQLinear, GivesTheSameBitsWithDirectStatisticsOnEveryDevice) {
  MPQLinear expanded = made(), direct = made(MPQStatistics::direct);
  expanded.prepare_params();
  direct.prepare_params();
  EXPECT_LT(direct.weight_bytes(), expanded.weight_bytes());
  EXPECT_EQ(direct.scales().to_vector<Half>(), expanded.scales().to_vector<Half>());
  std::optional<std::vector<Half>> wanted;
  for (const Device& device : test_devices()) {
    for (const MPQLinear* layer : {&expanded, &direct}) {
      const std::vector<Half> y = layer->forward(input(), device).to_vector<Half>();
      if (!wanted) wanted = y;
      EXPECT_EQ(y, *wanted) << device.info().selector;
    }
  }
}

TEST(MPQLinear, RunsGptqTensorsAndRefusesActOrder) {
  const Device device = test_devices().front();
  const MPQLinearOptions options{
      .in_channels = 64, .out_channels = 32, .use_gba_quant = false, .disable_bias = true};
  MPQLinearTensors t{Array::from(std::vector<std::int32_t>(8 * 32, 0x33333333), Shape{8, 32})};
  t.qzeros = Array::from(std::vector<std::int32_t>(4, 0), Shape{1, 4});
  t.scales = Array::from(std::vector<Half>(32, Half(0.5F)), Shape{1, 32});
  MPQLinear layer(options, t);
  layer.prepare_params();
  const Array ones = Array::from(std::vector<float>(64, 1.0F), Shape{64});
  EXPECT_EQ(layer.forward(ones, device).to_vector<Half>(),
            std::vector<Half>(32, Half(64 * 0.5F * (3 - 1))));
  t.g_idx = Array::from(std::vector<std::int32_t>(64, 1), Shape{64});
  EXPECT_THAT(argument_error([&] { MPQLinear(options, t); }), HasSubstr("act-order"));
}

TEST(MPQLinear, TakesIntegerZeroPointsWithDoubleQuantizedScales) {
  const Device device = test_devices().front();
  for (const int mode : {1, 2}) {
    const MPQLinearOptions options{.in_channels = 64,
                                   .out_channels = 32,
                                   .w_bit = 2,
                                   .dq_group_size = 8,
                                   .dq_mode = mode,
                                   .asym = true};
    MPQLinear layer(options);
    std::vector<std::string> names;
    for (const NamedArray& parameter : layer.parameters()) names.push_back(parameter.name);
    EXPECT_EQ(names, (std::vector<std::string>{"qweight", "qscales", "qscales_zeros",
                                               "qscales_scales", "qzeros", "g_idx"}));
    MPQLinearTensors t{Array::from(std::vector<std::int32_t>(4 * 32, -1), Shape{4, 32})};
    const Shape second = mode == 1 ? Shape{1, 32, 1} : Shape{1, 4, 1};
    const auto halves = [&](float value) {
      return Array::from(
          std::vector<Half>(static_cast<std::size_t>(second.elements()), Half(value)), second);
    };
    t.qscales = Array::from(std::vector<std::uint8_t>(32, 9), Shape{1, 32});
    t.qscales_zeros = halves(1);
    t.qscales_scales = halves(0.25F);
    t.qzeros = Array::from(std::vector<std::int32_t>(2, 0), Shape{1, 2});
    MPQLinear filled(options, t);
    filled.prepare_params();
    EXPECT_EQ(filled.scales().to_vector<Half>(), std::vector<Half>(32, Half(2.0F)));
    EXPECT_EQ(filled.zeros().to_vector<float>(), std::vector<float>(32, -2.0F));
    const Array ones = Array::from(std::vector<Half>(64, Half(1.0F)), Shape{1, 64});
    EXPECT_EQ(filled.forward(ones, device).to_vector<Half>(),
              std::vector<Half>(32, Half(64 * 2.0F * (3 - 1))));
  }
}

TEST(MPQLinear, IsSavedAndLoadedByTheOriginalNames) {
  const TempFolder folder;
  MPQLinear layer = made();
  layer.prepare_params(true);
  layer.save_weights(folder / "a.safetensors");
  const SafetensorsFile file(folder / "a.safetensors");
  for (const char* name : {"qweight", "qstatistic", "qscales_zeros", "qscales_scales",
                           "qzeros_zeros", "qzeros_scales", "g_idx", "bias"})
    EXPECT_TRUE(file.tensors().contains(name)) << name;
  MPQLinear other(small());
  other.load_weights(folder / "a.safetensors");
  EXPECT_FALSE(other.prepared());
  other.prepare_params();
  const Device device = test_devices().front();
  EXPECT_EQ(other.forward(input(), device).to_vector<Half>(),
            layer.forward(input(), device).to_vector<Half>());
  EXPECT_THAT(argument_error([&] { other.save_weights(folder / "b.safetensors"); }),
              HasSubstr("released"));
  EXPECT_FALSE(std::filesystem::exists(folder / "b.safetensors"));
  EXPECT_THAT(argument_error([&] { other.load_weights(folder / "a.safetensors"); }),
              HasSubstr("released"));
}

TEST(MPQLinear, ReadsFilesThatHoldTheOriginalsOtherBuffers) {
  const TempFolder folder;
  const MPQLinear layer = made();
  const MPQLinearTensors t = random_tensors(small());
  std::map<std::string, Array> tensors{{"qweight", t.qweight},
                                       {"qstatistic", *t.qstatistic},
                                       {"qscales_zeros", *t.qscales_zeros},
                                       {"qscales_scales", *t.qscales_scales},
                                       {"qzeros_zeros", *t.qzeros_zeros},
                                       {"qzeros_scales", *t.qzeros_scales},
                                       {"bias", *t.bias}};
  for (const char* name : {"wf", "scales", "zeros"})
    tensors.emplace(name, Array::from(std::vector<Half>(4), Shape{4}));
  save_safetensors(folder / "a.safetensors", tensors);
  MPQLinear loaded(small());
  const LoadReport report = loaded.load_weights(folder / "a.safetensors");
  EXPECT_TRUE(report.unexpected.empty());
  loaded.prepare_params(true);
  for (const NamedArray& parameter : loaded.parameters()) EXPECT_NE(parameter.name, "wf");
}

TEST(MPQLinear, IsPreparedWithItsModelAndLeftAloneByQuantize) {
  const Device device = test_devices().front();
  Sequential model(made(), made(MPQStatistics::direct));
  EXPECT_EQ(quantize(model, {}, device), 0);
  Sequential nested;
  nested.add(std::make_unique<Linear>(Linear::random(128, 128, 1)))
      .add(std::make_unique<MPQLinear>(made()));
  EXPECT_EQ(prepare_layers(nested), 1);
  EXPECT_EQ(nested.forward(input(), device).shape(), (Shape{2, 3, 32}));
  EXPECT_EQ(prepare_layers(model), 2);
  const auto copy = model.clone();
  EXPECT_THAT(copy->description(), HasSubstr("statistics=direct"));
  EXPECT_THAT(argument_error([&] { nested.save_weights("never"); }), HasSubstr("layers.1"));
  nested.to(device);
  EXPECT_EQ(dequantize(nested, {}, device), 1);
  EXPECT_EQ(nested.forward(input(), device).shape(), (Shape{2, 3, 32}));
}

TEST(MPQLinear, ItsStoredWeightAloneIsTrainableUnlessToldOtherwise) {
  MPQLinear layer = made();
  ASSERT_EQ(layer.trainable_parameters().size(), 1U);
  EXPECT_EQ(layer.trainable_parameters().front().name, "qweight");
  layer.prepare_params();
  EXPECT_TRUE(layer.trainable_parameters().empty());
  MPQLinearOptions options = small();
  options.requires_grad = false;
  MPQLinear frozen(options);
  frozen.unfreeze();
  EXPECT_TRUE(frozen.trainable_parameters().empty());
}

TEST(MPQLinear, FloatsOfAFileAreRoundedToHalves) {
  MPQLinear layer = made(), other = made();
  std::vector<NamedArray> tensors = layer.parameters();
  for (NamedArray& tensor : tensors)
    if (is_float(tensor.value.dtype())) tensor.value = cast(tensor.value, DType::f32);
  other.load_weights(tensors);
  other.prepare_params();
  layer.prepare_params();
  const Device device = test_devices().front();
  EXPECT_EQ(other.forward(input(), device).to_vector<Half>(),
            layer.forward(input(), device).to_vector<Half>());
}

TEST(MPQLinear, RefusesAnotherInputBeforeAnythingRuns) {
  const Device device = test_devices().front();
  MPQLinear layer = made();
  layer.prepare_params();
  const Array integers = Array::from(std::vector<std::int32_t>(128), Shape{128});
  EXPECT_THAT(argument_error([&] { (void)layer.forward(integers, device); }), HasSubstr("float"));
  const Array narrow = Array::from(std::vector<float>(64), Shape{64});
  EXPECT_THAT(argument_error([&] { (void)layer.forward(narrow, device); }), HasSubstr("128"));
}

TEST(MPQLinear, ActOrderIsRefusedWhenLoaded) {
  std::vector<std::int32_t> order(128);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i < 64 ? 1 : 0;
  Random random(3);
  Sequential model;
  model.add(std::make_unique<MPQLinear>(made()));
  model.add(std::make_unique<MPQLinear>(made()));
  const Array other = made().qweight();
  try {
    model.load_weights({{"layers.0.qweight", words(other.shape(), random)},
                        {"layers.1.g_idx", Array::from(order, Shape{128})}},
                       Strictness::lenient);
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("tensor layers.1.g_idx"));
    EXPECT_THAT(error.what(), HasSubstr("act-order"));
  }
  EXPECT_EQ(model.parameters()[0].value.to_vector<std::int32_t>(),
            other.to_vector<std::int32_t>());  // nothing was changed
  EXPECT_EQ(prepare_layers(model), 2);
}

TEST(MPQLinear, SizesBeyondAnAxisOrMemoryAreRefusedByName) {
  for (const std::int64_t size : {std::int64_t{1} << 31, std::int64_t{1} << 40, INT64_MAX - 63}) {
    MPQLinearOptions options = small();
    options.in_channels = size;
    const std::string of_inputs = argument_error([&] { MPQLinear{options}; });
    EXPECT_THAT(of_inputs, HasSubstr("in_channels must be positive and at most 2^31 - 1, not"));
    EXPECT_EQ(argument_error([&] { MPQLinear(options, random_tensors(small())); }), of_inputs);
    options = small();
    options.out_channels = size;
    EXPECT_THAT(argument_error([&] { MPQLinear{options}; }), HasSubstr("out_channels must be"));
  }
  MPQLinearOptions options = small();
  options.in_channels = options.out_channels = (std::int64_t{1} << 31) - 64;
  EXPECT_THAT(argument_error([&] { MPQLinear{options}; }),
              HasSubstr("qweight: there is no memory"));
}

TEST(MPQLinear, GivenTensorsAreCheckedWithoutMakingOthers) {
  MPQLinearOptions options = small();
  options.in_channels = options.out_channels = (std::int64_t{1} << 31) - 64;
  EXPECT_THAT(argument_error([&] { MPQLinear(options, random_tensors(small())); }),
              HasSubstr("qweight is i32 [16, 32], wanted is i32 [268435448, 2147483584]"));
}

}  // namespace
}  // namespace clmx
