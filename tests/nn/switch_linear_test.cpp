#include "clmx/nn/switch_linear.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "clmx/nn/builders.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/quantize.hpp"
#include "clmx/nn/switch_glu.hpp"
#include "devices/test_kernels.hpp"
#include "host/ops_support.hpp"
#include "support/temp_folder.hpp"

namespace clmx {
namespace {

using namespace testing_support;
using testing::HasSubstr;

constexpr std::int64_t in = 64, out = 19, experts = 4;
const QuantizationParams mxfp4{QuantizationMode::mxfp4}, mxfp8{QuantizationMode::mxfp8},
    nvfp4{QuantizationMode::nvfp4};

/// Three tokens with two experts each.
Array tokens(DType dtype = DType::f32) {
  return normal_array({3, 1, 1, in}, 1, dtype);
}
const std::vector<std::uint32_t> chosen{3, 0, 1, 1, 2, 0};
Array indices() {
  return Array::from(chosen, {3, 2});
}

SwitchLinear dense(DType dtype = DType::f32, bool bias = true) {
  std::optional<Array> b;
  if (bias) b = normal_array({experts, out}, 3, dtype);
  return SwitchLinear(normal_array({experts, out, in}, 2, dtype), b);
}

/// Entry e of a stack.
Array entry(const Array& stack, std::int64_t e) {
  return stack.rows(e, e + 1).reshape(stack.shape().slice(1, stack.rank()));
}

std::optional<Array> entry(const std::optional<Array>& stack, std::int64_t e) {
  return stack ? std::optional(entry(*stack, e)) : std::nullopt;
}

/// A layer's result for the tokens, against that of a layer made for each expert.
template <class MakeOne>
void expect_rows_of(const SwitchLinearLayer& layer, DType dtype, const Device& device,
                    MakeOne make_one) {
  const Array y = layer.forward(tokens(dtype), indices(), false, device);
  ASSERT_EQ(y.shape(), (Shape{3, 2, 1, out}));
  for (std::size_t z = 0; z < chosen.size(); ++z) {
    const auto token = static_cast<std::int64_t>(z / 2), at = static_cast<std::int64_t>(z);
    const Array x = tokens(dtype).reshape({3, in}).rows(token, token + 1);
    const Array wanted = make_one(static_cast<std::int64_t>(chosen[z])).forward(x, device);
    EXPECT_TRUE(same(y.reshape({6, out}).rows(at, at + 1), wanted))
        << device.info().selector << ' ' << layer.describe() << ' ' << dtype << ' ' << z;
  }
}

TEST(SwitchLinear, GivesEachTokenTheBitsOfItsExpertsLinear) {
  for (const Device& device : test_devices()) {
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      for (const bool bias : {true, false}) {
        const SwitchLinear layer = dense(dtype, bias);
        expect_rows_of(layer, dtype, device, [&](std::int64_t e) {
          return Linear(entry(layer.weight(), e), entry(layer.bias(), e));
        });
      }
    }
  }
}

/// Expert e of a quantized layer.
QuantizedLinear expert_of(const QuantizedSwitchLinear& layer, std::int64_t e) {
  const QuantizedWeight& w = layer.weight();
  std::optional<Array> global_scale;
  if (w.global_scale()) {
    global_scale =
        w.global_scale()->size() > 1 ? w.global_scale()->rows(e, e + 1) : *w.global_scale();
  }
  return QuantizedLinear(QuantizedWeight(entry(w.packed(), e), entry(w.scales(), e),
                                         entry(w.biases(), e), w.params(), global_scale),
                         entry(layer.bias(), e));
}

TEST(SwitchLinear, QuantizedGivesTheBitsOfItsExpertsInEveryMode) {
  for (const Device& device : test_devices()) {
    for (const QuantizationParams& params :
         {QuantizationParams{}, QuantizationParams{.group_size = 32, .bits = 3}, mxfp4, mxfp8,
          nvfp4}) {
      for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
        for (const bool bias : {true, false}) {
          const QuantizedSwitchLinear layer = dense(dtype, bias).quantized(params, device);
          expect_rows_of(layer, dtype, device, [&](std::int64_t e) { return expert_of(layer, e); });
        }
      }
    }
  }
}

TEST(SwitchLinear, TakesGlobalScalesOfAllExpertsOrOfEach) {
  for (const Device& device : test_devices()) {
    const QuantizedWeight w = quantize(dense().weight(), nvfp4, device);
    for (const std::int64_t count : {std::int64_t{1}, experts}) {
      std::vector<float> scales;
      for (std::int64_t e = 0; e < count; ++e)
        scales.push_back(900.0f + 100 * static_cast<float>(e));
      const QuantizedSwitchLinear layer(
          QuantizedWeight(w.packed(), w.scales(), {}, w.params(), Array::from(scales, {count})));
      expect_rows_of(layer, DType::f32, device,
                     [&](std::int64_t e) { return expert_of(layer, e); });
    }
  }
}

TEST(SwitchLinear, HasTheSameBitsOnEveryDevice) {
  const SwitchLinear layer = dense(DType::f16);
  expect_same_bits([&] { return layer.forward(tokens(DType::f16), indices()); });
  expect_same_bits([&] { return layer.quantized(mxfp4).forward(tokens(DType::f16), indices()); });
}

TEST(SwitchLinear, TakesIndicesOfAnyTypeNoneAndThoseOfADevice) {
  const SwitchLinear layer = dense();
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const auto wanted = bits_of(layer.forward(tokens(), indices(), true, stream));
    const std::vector<std::uint8_t> bytes(chosen.begin(), chosen.end());
    EXPECT_EQ(bits_of(layer.forward(tokens(), Array::from(bytes, {3, 2}), false, stream)), wanted);
    const Array computed =
        cast(Array::from(std::vector<float>{3, 0, 1, 1, 2, 0}, {3, 2}), DType::i32, stream);
    EXPECT_EQ(bits_of(layer.forward(tokens(), computed, false, stream)), wanted);
    const Array none = Array::from(std::vector<std::int32_t>{}, {3, 0});
    EXPECT_EQ(layer.forward(tokens(), none, false, stream).shape(), (Shape{3, 0, 1, out}));
    const Array wrong = cast(Array::from(std::vector<float>{4}, {1}), DType::i32, stream);
    const Array y = layer.forward(tokens(), wrong, false, stream);
    EXPECT_THAT(message_of<ArgumentError>([&] { y.to_vector<float>(); }),
                HasSubstr("[gather_mm] index 4"));
  }
}

template <class Call>
std::string refusal(Call call) {
  return message_of<ArgumentError>(call);
}

TEST(SwitchLinear, RefusesByName) {
  const Array vector = normal_array({out}, 1), matrix = normal_array({out, in}, 1);
  EXPECT_THAT(refusal([&] { SwitchLinear{matrix}; }), HasSubstr("[SwitchLinear] weight"));
  EXPECT_THAT(refusal([&] { SwitchLinear(dense().weight(), vector); }),
              HasSubstr("[SwitchLinear] bias has shape [19]"));
  EXPECT_THAT(refusal([&] { QuantizedSwitchLinear{quantize(matrix)}; }),
              HasSubstr("[QuantizedSwitchLinear] the weight must be a stack"));
  EXPECT_THAT(refusal([&] { QuantizedSwitchLinear(quantize(dense().weight()), vector); }),
              HasSubstr("[QuantizedSwitchLinear] bias"));
  EXPECT_THAT(refusal([&] { (void)dense().quantized({.group_size = 128}); }),
              HasSubstr("[quantize]"));
  expect_refused([&] { (void)dense().forward(normal_array({1, 1, 32}, 1), indices()); });
  const Array past = Array::from(std::vector<std::int32_t>{4}, {1});
  const Array negative = Array::from(std::vector<std::int32_t>{-1}, {1});
  const QuantizedSwitchLinear quantized = dense().quantized();
  for (const Array& wrong : {past, negative, normal_array({1}, 1)}) {
    expect_refused([&] { (void)dense().forward(tokens(), wrong); });
    expect_refused([&] { (void)quantized.forward(tokens(), wrong); });
  }
}

TEST(SwitchLinear, IsBuiltFieldByField) {
  const auto sized = [] { return SwitchLinearBuilder().input_dims(in).output_dims(out); };
  EXPECT_THAT(refusal([&] { (void)sized().build(); }), HasSubstr("num_experts is missing"));
  EXPECT_THAT(refusal([&] { (void)sized().num_experts(0).build(); }),
              HasSubstr("num_experts must be positive"));
  const SwitchLinear layer = sized().num_experts(experts).seed(5).build();
  EXPECT_TRUE(layer.bias());
  EXPECT_EQ(layer.describe(),
            "SwitchLinear(input_dims=64, output_dims=19, num_experts=4, bias=true)");
  for (const float value : layer.weight().to_vector<float>()) EXPECT_LE(std::abs(value), 0.125f);
  const auto quantized = QuantizedSwitchLinearBuilder()
                             .input_dims(in)
                             .output_dims(out)
                             .num_experts(experts)
                             .bias(false)
                             .mode("mxfp8")
                             .build(test_devices().front());
  EXPECT_EQ(quantized.bits(), 8);
  EXPECT_FALSE(quantized.bias() || quantized.biases());
  EXPECT_EQ(quantized.describe(),
            "QuantizedSwitchLinear(input_dims=64, output_dims=19, num_experts=4, bias=false, "
            "group_size=32, bits=8, mode=mxfp8)");
  EXPECT_EQ(quantized.scales().shape(), (Shape{experts, out, 2}));
}

class Router final : public Module {
 public:
  explicit Router(std::uint64_t seed)
      : stack(std::make_unique<SwitchLinear>(SwitchLinear::random(in, out, experts, seed))) {}
  void visit(Visitor& v) override { v.slot("experts", stack); }
  std::unique_ptr<Module> clone() const override { return std::make_unique<Router>(*this); }
  std::string describe() const override { return "Router"; }
  Slot<SwitchLinearLayer> stack;
};

std::vector<std::string> names(const std::vector<NamedArray>& parameters) {
  std::vector<std::string> result;
  for (const NamedArray& one : parameters) result.push_back(one.name);
  return result;
}

TEST(SwitchLinear, TakesPartInQuantizingAModelAndBack) {
  const Device device = test_devices().front();
  Router model(1);
  EXPECT_EQ(names(model.trainable_parameters()),
            (std::vector<std::string>{"experts.weight", "experts.bias"}));
  EXPECT_EQ(quantize(model, 64, 8, "affine", {}, device), 1);
  EXPECT_EQ(names(model.parameters()),
            (std::vector<std::string>{"experts.weight", "experts.scales", "experts.biases",
                                      "experts.bias"}));
  model.unfreeze();
  EXPECT_TRUE(model.trainable_parameters().empty());
  EXPECT_EQ(quantize(model, {}, device), 0);
  const Array got = model.stack->forward(tokens(), indices(), false, device);
  EXPECT_EQ(dequantize(model, {}, device), 1);
  const Array back = model.stack->forward(tokens(), indices(), false, device);
  EXPECT_EQ(names(model.parameters()),
            (std::vector<std::string>{"experts.weight", "experts.bias"}));
  const auto a = got.to_vector<float>(), b = back.to_vector<float>();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4);
  Router odd(1);
  EXPECT_THAT(refusal([&] { (void)quantize(odd, {.group_size = 128}, device); }),
              HasSubstr("layer experts"));
}

TEST(SwitchLinear, IsTypedWhenQuantizedAlone) {
  const QuantizedSwitchLinear one = quantize(dense(), mxfp4, test_devices().front());
  EXPECT_EQ(quantize(one, {}).bits(), 4);
  EXPECT_EQ(QuantizedSwitchLinear::from_switch_linear(dense(), mxfp4).mode(),
            QuantizationMode::mxfp4);
}

void expect_same_parameters(Module& a, Module& b) {
  const auto left = a.parameters(), right = b.parameters();
  ASSERT_EQ(names(left), names(right));
  for (std::size_t i = 0; i < left.size(); ++i)
    EXPECT_TRUE(same(left[i].value, right[i].value)) << left[i].name;
}

TEST(SwitchLinear, IsSavedAndLoadedDenseAndQuantized) {
  const Device device = test_devices().front();
  for (const bool quantized : {false, true}) {
    const TempFolder folder;
    Router model(1), other(2);
    if (quantized) {
      quantize(model, nvfp4, device);
      quantize(other, {}, device);
      folder.write("config.json",
                   R"({"quantization": {"group_size": 16, "bits": 4, "mode": "nvfp4"}})");
    }
    model.save_weights(folder / "model.safetensors");
    const LoadReport report = other.load_weights(folder.path());
    EXPECT_TRUE(report.missing.empty() && report.unexpected.empty());
    expect_same_parameters(model, other);
  }
}

TEST(SwitchLinear, LoadsGlobalScalesAndRefusesAnotherStack) {
  const Device device = test_devices().front();
  const QuantizedWeight w = quantize(dense().weight(), nvfp4, device);
  const Array global = Array::from(std::vector<float>{1, 2, 3, 4}, {experts});
  Router model(1), other(2);
  model.replace("experts", std::make_unique<QuantizedSwitchLinear>(
                               QuantizedWeight(w.packed(), w.scales(), {}, w.params(), global),
                               dense().bias()));
  const TempFolder folder;
  model.save_weights(folder / "a.safetensors");
  EXPECT_EQ(names(model.parameters()),
            (std::vector<std::string>{"experts.weight", "experts.scales", "experts.global_scale",
                                      "experts.bias"}));
  quantize(other, {}, device);
  other.load_weights(folder / "a.safetensors");
  expect_same_parameters(model, other);
  Router fewer(3);
  fewer.replace("experts",
                std::make_unique<SwitchLinear>(SwitchLinear::random(in, out, experts - 1, 1)));
  quantize(fewer, {}, device);
  EXPECT_THROW(fewer.load_weights(folder / "a.safetensors"), FormatError);
}

TEST(SwitchGLU, IsTheExpertsOfEachTokenSortedOrNot) {
  constexpr std::int64_t hidden = 32, count = 40, k = 2;
  SwitchGLU layer(in, hidden, experts, 7, true);
  EXPECT_EQ(names(layer.parameters()),
            (std::vector<std::string>{"gate_proj.weight", "gate_proj.bias", "up_proj.weight",
                                      "up_proj.bias", "down_proj.weight", "down_proj.bias"}));
  const Array x = normal_array({count, in}, 1);
  std::vector<std::int32_t> at;
  for (int i = 0; i < count * k; ++i) at.push_back((i * 7 + i / 5) % static_cast<int>(experts));
  const Array which = Array::from(at, {count, k});
  for (const bool quantized : {false, true}) {
    if (quantized) {
      EXPECT_EQ(quantize(layer, {.group_size = 32}, test_devices().front()), 3);
    }
    for (const Device& device : test_devices()) {
      const Array all = layer.forward(x, which, device);
      ASSERT_EQ(all.shape(), (Shape{count, k, in}));
      for (const std::int64_t token : {std::int64_t{0}, std::int64_t{17}, count - 1}) {
        const Array one =
            layer.forward(x.rows(token, token + 1), which.rows(token, token + 1), device);
        EXPECT_EQ(bits_of(all.rows(token, token + 1)), bits_of(one)) << device.info().selector;
      }
    }
  }
}

TEST(SwitchGLU, RefusesIndicesOutOfRangeBeforeItSorts) {
  const SwitchGLU layer(in, 32, experts);
  const Device device = test_devices().front();
  constexpr std::int64_t count = 70;
  const Array x = normal_array({count, in}, 1);
  for (const std::int32_t odd : {-1, static_cast<std::int32_t>(experts)}) {
    std::vector<std::int32_t> at(count);
    at[50] = odd;
    const std::uint64_t launches = build_stats().launches;
    expect_refused([&] { (void)layer.forward(x, Array::from(at, {count, 1}), device); });
    EXPECT_EQ(build_stats().launches, launches);
  }
}

TEST(SwitchGLU, TakesAnotherActivationAndRefusesByName) {
  const Device device = test_devices().front();
  const auto clipped = [](const Array& gate, const Array& up, StreamOrDevice s) {
    return clipped_swiglu(gate, up, {}, s);
  };
  const SwitchGLU plain(in, 32, experts, 7), other(in, 32, experts, 7, false, clipped);
  const Array x = normal_array({3, in}, 1);
  EXPECT_NE(bits_of(plain.forward(x, indices(), device)),
            bits_of(other.forward(x, indices(), device)));
  EXPECT_THAT(refusal([] { SwitchGLU(in, 0, experts); }), HasSubstr("[SwitchGLU] hidden_dims"));
  expect_refused([&] { (void)plain.forward(normal_array({2, in}, 1), indices(), device); });
  expect_refused([&] { (void)plain.forward(normal_array({3, 32}, 1), indices(), device); });
}

}  // namespace
}  // namespace clmx
