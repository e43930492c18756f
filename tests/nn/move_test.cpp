#include <gtest/gtest.h>

#include "case_data.hpp"
#include "clmx/host/ops.hpp"
#include "clmx/nn/embedding.hpp"
#include "clmx/nn/generate.hpp"
#include "clmx/nn/model_file.hpp"
#include "clmx/nn/mpq_linear.hpp"
#include "clmx/nn/sequential.hpp"
#include "support/test_devices.hpp"
#include "tiny_models.hpp"

// Module::to. Runs of their own do the same where layouts are prepared and host memory is not
// shared, where allocations are limited, and where nothing but such a move may copy.
namespace clmx {
namespace {

/// Bytes of a device that are in use.
std::size_t used(const Device& device) {
  device.trim_memory();
  return device.memory().active_bytes;
}

/// What a move takes of a device's memory, and what a forward then adds that stays.
struct Taken {
  std::size_t moved = 0, added = 0;
};
template <class Forward>
Taken taken(Module& module, const Device& device, Forward forward) {
  const std::size_t before = used(device);
  module.to(device);
  const std::size_t moved = used(device);
  forward();
  return {moved - before, used(device) - moved};
}

/// Its parameters held by the host alone.
void take_home(Module& module) {
  module.apply([](const std::string&, const Array& value) {
    std::vector<std::byte> bytes(value.bytes());
    value.read(bytes);
    return Array::from_bytes(bytes, value.shape(), value.dtype());
  });
}

Array ones(std::int64_t width) {
  return Array::from(std::vector<float>(static_cast<std::size_t>(width), 1.0f), Shape{1, width});
}

/// For what allocations are rounded up to.
constexpr std::size_t slack = 4096;

TEST(Move, TakesWhatForwardReadsOnce) {
  for (const Device& device : test_devices()) {
    QuantizedLinear layer = QuantizedLinear::random(512, 128, 3, false, {}, device);
    take_home(layer);
    const auto forward = [&] { (void)layer.forward(ones(512), device).to_vector<float>(); };
    const auto [moved, added] = taken(layer, device, forward);
    EXPECT_LE(moved, layer.weight().bytes() + slack) << device.info().selector;
    EXPECT_EQ(added, 0U) << device.info().selector;
  }
}

TEST(Move, FromAnotherDeviceTakesItOnceToo) {
  const Device first = test_devices().front();
  for (const Device& device : test_devices()) {
    if (device == first) continue;
    QuantizedLinear layer = QuantizedLinear::random(512, 128, 3, false, {}, first);
    const auto forward = [&] { (void)layer.forward(ones(512), device).to_vector<float>(); };
    const auto [moved, added] = taken(layer, device, forward);
    EXPECT_LE(moved, layer.weight().bytes() + slack) << device.info().selector;
    EXPECT_EQ(added, 0U) << device.info().selector;
  }
}

/// Made on the host: no device need hold it whole.
QuantizedWeight large_weight(std::int64_t rows, std::int64_t width) {
  Random random(1);
  const auto scales = [&] {
    return random_array(Data::normal, DType::f32, {rows, width / 64}, random, 0.01);
  };
  return {random_integers(DType::u32, {rows, width / 8}, random, 0, UINT32_MAX),
          scales(),
          scales(),
          {}};
}

TEST(Move, IsNotRepeatedForWhatAnotherOpPrepares) {
  const QuantizedEmbedding made(large_weight(512, 704));
  for (const Device& device : test_devices()) {
    QuantizedEmbedding table = made;
    take_home(table);
    table.to(device);
    const std::uint64_t before = transfer_stats().uploaded_bytes;
    (void)table.as_linear(ones(704), device).to_vector<float>();
    EXPECT_LE(transfer_stats().uploaded_bytes - before, 704 * sizeof(float))
        << device.info().selector;
  }
}

TEST(Move, IsInPartsWhereAllocationsAreLimited) {
  const Linear dense = Linear::random(600, 704, 1);
  const QuantizedLinear quantized(large_weight(4096, 704));
  const QuantizedEmbedding table(large_weight(4096, 704));
  const Array last = Array::from(std::vector<std::int32_t>{4095}, Shape{1});
  for (const Device& device : test_devices()) {
    const auto results = [&] {
      const Array y = quantized.forward(dense.forward(ones(600), device), device);
      return std::pair{y.to_vector<float>(), table.forward(last, device).to_vector<float>()};
    };
    const auto wanted = results();
    Sequential model(dense, quantized, table);
    take_home(model);
    const auto layer = [&](std::size_t i) -> const UnaryLayer& { return model[i]; };
    const auto forward = [&] {
      const Array y = layer(1).forward(layer(0).forward(ones(600), device), device);
      EXPECT_EQ(std::pair(y.to_vector<float>(), layer(2).forward(last, device).to_vector<float>()),
                wanted);
    };
    EXPECT_EQ(taken(model, device, forward).added, 0U) << device.info().selector;
  }
}

TEST(Move, OfAnMpqLayerTakesWhatWasPrepared) {
  for (const Device& device : test_devices()) {
    for (const auto statistics : {MPQStatistics::expanded, MPQStatistics::direct}) {
      MPQLinear layer({.in_channels = 512,
                       .out_channels = 128,
                       .group_size = 64,
                       .dq_group_size = 16,
                       .statistics = statistics});
      EXPECT_EQ(taken(layer, device, [] {}).moved, 0U) << "forward reads nothing of it yet";
      layer.prepare_params(true);
      const auto forward = [&] { (void)layer.forward(ones(512), device).to_vector<Half>(); };
      const auto [moved, added] = taken(layer, device, forward);
      EXPECT_LE(moved, static_cast<std::size_t>(layer.weight_bytes()) + 6 * slack)
          << device.info().selector;
      EXPECT_EQ(added, 0U) << device.info().selector;
    }
  }
}

/// Random codes; f16 statistics of the second level stay what a new layer has.
MPQLinear large_mpq_layer(MPQStatistics statistics) {
  MPQLinear layer({.in_channels = 1024,
                   .out_channels = 4096,
                   .group_size = 64,
                   .dq_group_size = 16,
                   .statistics = statistics});
  Random random(1);
  layer.apply([&](const std::string& name, const Array& value) {
    if (name == "qweight")
      return random_integers(DType::i32, value.shape(), random, INT32_MIN, INT32_MAX);
    return name == "qstatistic" ? random_integers(DType::u8, value.shape(), random, 0, 255) : value;
  });
  layer.prepare_params();
  return layer;
}

TEST(Move, OfDirectStatisticsIsInPartsToo) {
  const MPQLinear expanded = large_mpq_layer(MPQStatistics::expanded);
  const Array x = Array::from(std::vector<float>(3 * 1024, 0.125f), Shape{3, 1024});
  for (const Device& device : test_devices()) {
    const auto wanted = expanded.forward(x, device).as_array<float>();
    MPQLinear direct = large_mpq_layer(MPQStatistics::direct);
    const auto forward = [&] {
      EXPECT_EQ(direct.forward(x, device).as_array<float>(), wanted) << device.info().selector;
    };
    EXPECT_EQ(taken(direct, device, forward).added, 0U) << device.info().selector;
  }
}

class ModelMove : public testing::TestWithParam<std::string> {};

// A model joins layers, and ties its head: what forward reads is not what the layers hold.
TEST_P(ModelMove, TakesNoMoreThanForwardDoes) {
  const TinyPrompt prompt = tiny_prompts(GetParam()).front();
  for (const Device& device : test_devices()) {
    const auto forward_of = [&](LanguageModel& model) {
      ModelCache cache = model.new_cache();
      (void)model.forward(prompt.tokens, cache, LogitRows::last, device).to_vector<float>();
    };
    const std::size_t before = used(device);
    std::size_t alone = 0;
    {
      const auto model = load_model(tiny_folder(GetParam()));
      forward_of(*model);
      alone = used(device) - before;
    }
    const auto model = load_model(tiny_folder(GetParam()));
    const auto [moved, added] = taken(*model, device, [&] { forward_of(*model); });
    EXPECT_LE(moved + added, alone) << device.info().selector;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ModelMove, testing::ValuesIn(tiny_names()));

}  // namespace
}  // namespace clmx
