#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>

#include "clmx/host/ops_basic.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/embedding.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/mpq_linear.hpp"
#include "clmx/nn/norm.hpp"
#include "clmx/nn/quantize.hpp"
#include "golden_check.hpp"
#include "golden_manifest.hpp"
#include "support/temp_folder.hpp"
#include "support/test_devices.hpp"

// MLX's results of layers and of a small model, by the module system: dense layers are made,
// quantized as a model is, and loaded from files. CLMX_TEST_GOLDEN: another folder of such results.
namespace clmx {
namespace {

std::filesystem::path golden_folder() {
  const auto given = environment("CLMX_TEST_GOLDEN");
  return given ? std::filesystem::path(*given) : std::filesystem::path(CLMX_TEST_DATA) / "golden";
}

/// A model of one layer.
template <class Layer>
class One final : public Module {
 public:
  explicit One(std::unique_ptr<Layer> made) : layer(std::move(made)) {}
  void visit(Visitor& v) override { v.slot("layer", layer); }
  std::unique_ptr<Module> clone() const override { return std::make_unique<One>(*this); }
  std::string describe() const override { return "One"; }
  Slot<Layer> layer;
};

struct Call {
  const GoldenCase& golden;
  const GoldenFamily& family;
  const Device& device;

  Array in(const std::string& key) const { return family.input(golden, key); }
  QuantizationParams params() const { return quantization_of(golden.args); }
  std::int64_t width() const { return in("scales").shape(-1) * params().group(); }
};

/// The case's tensors, read into the model from a file of their own.
void load_parts(Module& model, const Call& call) {
  std::map<std::string, Array> parts;
  for (const char* key : {"weight", "scales", "biases", "bias"}) {
    if (const auto part = call.family.optional_input(call.golden, key))
      parts.emplace(std::string("layer.") + key, *part);
  }
  const TempFolder folder;
  save_safetensors(folder / "parts.safetensors", parts);
  model.load_weights(folder / "parts.safetensors");
}

One<EmbeddingLayer> loaded_embedding(const Call& call) {
  One<EmbeddingLayer> model(
      std::make_unique<Embedding>(Embedding::random(call.in("weight").shape(0), call.width(), 1)));
  EXPECT_EQ(quantize(model, call.params(), call.device), 1);
  load_parts(model, call);
  return model;
}

/// Quantized from its dense weight, whose parts have to come out; then loaded.
GoldenOutputs linear_outputs(const Call& call) {
  One<LinearLayer> model(std::make_unique<Linear>(call.in("dense_weight"),
                                                  call.family.optional_input(call.golden, "bias")));
  EXPECT_EQ(quantize(model, call.params(), call.device), 1);
  GoldenOutputs outputs;
  for (const NamedArray& part : model.parameters()) {
    const std::string key = part.name.substr(std::string("layer.").size());
    if (key != "bias") outputs.emplace(key, part.value);
  }
  const Array made = model.layer->forward(call.in("x"), call.device);
  load_parts(model, call);
  outputs.emplace("y", model.layer->forward(call.in("x"), call.device));
  EXPECT_EQ(widen(outputs.at("y")).values, widen(made).values);
  return outputs;
}

GoldenOutputs outputs_of(const Call& call) {
  if (call.golden.op == "quantized_linear") return linear_outputs(call);
  const One<EmbeddingLayer> model = loaded_embedding(call);
  if (call.golden.op == "quantized_embedding")
    return {{"y", model.layer->forward(call.in("ids"), call.device)}};
  return {{"y", model.layer->as_linear(call.in("x"), call.device)}};
}

MPQLinear mpq_layer(const Call& call, MPQStatistics statistics) {
  const GoldenArguments& args = call.golden.args;
  const auto given = [&](const char* key) { return call.family.optional_input(call.golden, key); };
  MPQLinearTensors tensors{call.in("qweight")};
  tensors.qstatistic = given("qstatistic");
  tensors.qzeros_zeros = given("qzeros_zeros");
  tensors.qzeros_scales = given("qzeros_scales");
  tensors.qscales_zeros = given("qscales_zeros");
  tensors.qscales_scales = given("qscales_scales");
  tensors.qzeros = given("qzeros");
  tensors.scales = given("scales");
  tensors.g_idx = given("g_idx");
  tensors.bias = given("bias");
  const int w_bit = args.integer("w_bit").value();
  const MPQLinearOptions options{.in_channels = tensors.qweight.shape(0) / w_bit * 32,
                                 .out_channels = tensors.qweight.shape(1),
                                 .a_bit = args.integer("a_bit").value(),
                                 .w_bit = w_bit,
                                 .group_size = args.integer("group_size").value(),
                                 .use_gba_quant = args.flag("use_gba_quant", true),
                                 .dq_group_size = args.integer("dq_group_size").value_or(-1),
                                 .dq_mode = args.integer("dq_mode").value_or(2),
                                 .disable_bias = !tensors.bias,
                                 .asym = args.flag("asym", false),
                                 .statistics = statistics};
  MPQLinear layer(options, std::move(tensors));
  layer.prepare_params();
  return layer;
}

GoldenOutputs mpq_outputs(const Call& call, MPQStatistics statistics) {
  const MPQLinear layer = mpq_layer(call, statistics);
  if (call.golden.op == "mpq_prepare")
    return {{"weight", layer.qweight()}, {"scales", layer.scales()}, {"biases", layer.zeros()}};
  return {{"y", layer.forward(call.in("x"), call.device)}};
}

GoldenOutputs expanded_outputs(const Call& call) {
  return mpq_outputs(call, MPQStatistics::expanded);
}

/// Only symmetric layers have statistics to read directly, with the bits of expanded ones.
GoldenOutputs direct_outputs(const Call& call) {
  GoldenOutputs expanded = expanded_outputs(call);
  if (!call.golden.inputs.contains("qstatistic")) return expanded;
  GoldenOutputs direct = mpq_outputs(call, MPQStatistics::direct);
  for (const auto& [name, value] : direct)
    EXPECT_EQ(widen(value).values, widen(expanded.at(name)).values) << call.golden.name;
  return direct;
}

void expect_family(const char* name, GoldenOutputs (*outputs)(const Call&)) {
  const GoldenManifest manifest(golden_folder());
  const GoldenFamily& family = manifest.family(name);
  for (const Device& device : test_devices()) {
    int bit_equal = 0, within = 0;
    double worst = 0;
    for (const GoldenCase& golden : family.cases()) {
      const CaseResult result = check_golden(golden, family, outputs({golden, family, device}));
      EXPECT_TRUE(result.outcome == Outcome::bit_equal || result.outcome == Outcome::within)
          << device.info().selector << ' ' << golden.name << ": " << result.what;
      bit_equal += result.outcome == Outcome::bit_equal ? 1 : 0;
      within += result.outcome == Outcome::within ? 1 : 0;
      worst = std::max(worst, result.worst);
    }
    EXPECT_EQ(bit_equal + within, static_cast<int>(family.cases().size()));
    ::testing::Test::RecordProperty(device.info().selector,
                                    join(bit_equal, " equal, ", within, " within, worst ", worst));
  }
}

TEST(GoldenLayers, AreWhatTheModuleSystemMakesAndLoads) {
  expect_family("layers", outputs_of);
}

TEST(GoldenLayers, MpqLayersGiveTheResultsOfTheirTensors) {
  expect_family("mpq", expanded_outputs);
}

TEST(GoldenLayers, MpqLayersGiveTheSameFromDoubleQuantizedStatistics) {
  expect_family("mpq", direct_outputs);
}

struct TinyBlock final : Module {
  Slot<LinearLayer> gate, up, down;

  void visit(Visitor& v) override {
    v.slot("gate", gate);
    v.slot("up", up);
    v.slot("down", down);
  }
  std::unique_ptr<Module> clone() const override { return std::make_unique<TinyBlock>(*this); }
  std::string describe() const override { return "TinyBlock"; }
  Array forward(const Array& h, const Stream& s) const {
    const Array inner = multiply(silu(gate->forward(h, s), s), up->forward(h, s), s);
    return add(h, down->forward(inner, s), s);
  }
};

/// The manifest's small model.
struct GoldenTiny final : Module {
  GoldenTiny(const Checkpoint& from, std::int64_t width) : norm(RMSNorm::ones(width, 1e-5f)) {
    const auto rows = [&](const std::string& path) {
      return from.array(path + ".weight").shape(0);
    };
    const auto linear = [&](const std::string& path, std::int64_t in, std::int64_t out) {
      const bool bias = from.has(path + ".bias");
      return std::unique_ptr<LinearLayer>(new Linear(Linear::random(in, out, 1, bias)));
    };
    embed =
        std::unique_ptr<EmbeddingLayer>(new Embedding(Embedding::random(rows("embed"), width, 1)));
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string block = join("layers.", i);
      const std::int64_t inner = rows(block + ".gate");
      layers[i].gate = linear(block + ".gate", width, inner);
      layers[i].up = linear(block + ".up", width, inner);
      layers[i].down = linear(block + ".down", inner, width);
    }
  }
  void visit(Visitor& v) override {
    v.slot("embed", embed);
    for (std::size_t i = 0; i < layers.size(); ++i) v.child(join("layers.", i), layers[i]);
    v.child("norm", norm);
  }
  std::unique_ptr<Module> clone() const override { return std::make_unique<GoldenTiny>(*this); }
  std::string describe() const override { return "GoldenTiny"; }
  Array logits(const Array& ids, const Stream& s) const {
    Array h = embed->forward(ids, s);
    for (const TinyBlock& block : layers) h = block.forward(h, s);
    return embed->as_linear(norm.forward(h, s), s);
  }

  Slot<EmbeddingLayer> embed;
  std::array<TinyBlock, 2> layers;
  RMSNorm norm;
};

/// Dense layers quantized where the file says so, in whatever way: loading brings the file's.
GoldenTiny loaded_model(const std::filesystem::path& folder, const Device& device) {
  const auto from = open_checkpoint(folder);
  GoldenTiny model(*from, from->array("norm.weight").size());
  const QuantizePredicate stored = [&](std::string_view path, const Module&) -> QuantizeChoice {
    return from->has(std::string(path) + ".scales");
  };
  EXPECT_GT(quantize(model, {.group_size = 32}, stored, device), 0);
  const LoadReport report = model.load_weights(*from);
  EXPECT_TRUE(report.missing.empty() && report.unexpected.empty());
  return model;
}

TEST(GoldenCheckpointByModules, GivesTheLogitsThatVerifyFinds) {
  const std::filesystem::path golden = golden_folder();
  const GoldenCheckpoint checkpoint = *GoldenManifest(golden).small_model();
  const SafetensorsFile expected(checkpoint.folder / checkpoint.expected);
  const DoubleArray wanted = widen(expected.array("logits"));
  GoldenReference reference{wanted.shape, wanted.dtype, wanted.values, {}};
  for (const double ref : wanted.values)
    reference.allowed.push_back(checkpoint.tol * std::max(1.0, std::abs(ref)));
  for (const Device& device : test_devices()) {
    const GoldenTiny model = loaded_model(checkpoint.folder, device);
    const Array got = model.logits(expected.array("ids"), device.default_stream());
    const Verdict verdict = check_against(reference, got);
    EXPECT_FALSE(verdict.mismatch) << device.info().selector << ' ' << verdict.mismatch->what;
    const std::vector<DeviceResult> verified =
        verify_golden(golden, std::vector{device}, {.family = GoldenManifest::checkpoint});
    EXPECT_EQ(verdict.worst, verified.front().families.front().worst()) << "other bits";
    RecordProperty(device.info().selector, join("worst ", verdict.worst));
  }
}

TEST(GoldenCheckpointByModules, IsSavedLoadedAgainAndDequantized) {
  const Device device = test_devices().front();
  const std::filesystem::path folder = GoldenManifest(golden_folder()).small_model()->folder;
  GoldenTiny model = loaded_model(folder, device);
  const TempFolder saved;
  model.save_weights(saved / "model.safetensors");
  std::filesystem::copy_file(folder / "config.json", saved / "config.json");
  const GoldenTiny again = loaded_model(saved.path(), device);
  const Array ids = Array::from(std::vector<std::uint32_t>{1, 0, 3}, {1, 3});
  const auto logits = [&](const GoldenTiny& one) {
    return widen(one.logits(ids, device.default_stream())).values;
  };
  const std::vector<double> wanted = logits(model);
  EXPECT_EQ(logits(again), wanted);

  int quantized = 0;
  for (const NamedArray& part : model.parameters())
    quantized += part.name.ends_with(".scales") ? 1 : 0;
  EXPECT_EQ(dequantize(model, DType::f32, device), quantized);
  const std::vector<double> dense = logits(model);
  ASSERT_EQ(dense.size(), wanted.size());
  for (std::size_t i = 0; i < dense.size(); ++i)
    EXPECT_NEAR(dense[i], wanted[i], 1e-3 * std::max(1.0, std::abs(wanted[i])));
}

}  // namespace
}  // namespace clmx
