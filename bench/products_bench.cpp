// Quantized products against the device's own read speed. `hot` repeats one weight, `cold` goes
// through 200 MB of copies, as a model does. CLMX_DEVICE selects the device. Counters: GB/s of
// weight bytes, GFLOP/s, and `of_stream`, the time in which the stream kernel reads the same bytes
// over the product's time, both measured in turn in the same run.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "answer_self_check.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "stream_reader.hpp"

namespace clmx {
namespace {

constexpr std::size_t cold_bytes = 200 << 20;

struct Case {
  std::int64_t m, n, k;
  QuantizationParams params;
  DType scales;  ///< and biases
  bool cold;
};

std::string name_of(const Case& c) {
  return join(c.params.mode, c.params.bit_count(), "_g", c.params.group(), '/', c.n, 'x', c.k, "/m",
              c.m, c.cold ? "/cold" : "/hot");
}

Array random_bytes(const Shape& shape, DType dtype, std::mt19937& random, std::uint32_t mask,
                   std::uint32_t base) {
  std::vector<std::uint32_t> words(
      (static_cast<std::size_t>(shape.elements()) * size_of(dtype) + 3) / 4);
  for (std::uint32_t& word : words) word = (static_cast<std::uint32_t>(random()) & mask) + base;
  const auto bytes = std::as_bytes(std::span(words));
  return Array::from_bytes(bytes.first(static_cast<std::size_t>(shape.elements()) * size_of(dtype)),
                           shape, dtype);
}

/// Copies that share MLX's arrays and are each prepared for themselves.
std::vector<QuantizedWeight> make_weights(const Case& c, std::size_t bytes) {
  std::mt19937 random(1);
  const Shape per_group{c.n, c.k / c.params.group()};
  const bool affine = c.params.mode == QuantizationMode::affine;
  const Array packed =
      random_bytes({c.n, c.k * c.params.bit_count() / 32}, DType::u32, random, ~0u, 0);
  // Scales near 1 in f16, f32 and E8M0 alike: only their size matters here.
  const Array scales = affine
                           ? random_bytes(per_group, c.scales, random, 0x00ff00ffu, 0x3c003c00u)
                           : random_bytes(per_group, DType::u8, random, 0x03030303u, 0x78787878u);
  const std::optional<Array> biases = affine ? std::optional(scales) : std::nullopt;
  std::vector<QuantizedWeight> weights;
  do {
    weights.emplace_back(packed, scales, biases, c.params);
  } while (weights.size() * weights.front().bytes() < bytes);
  return weights;
}

template <class Work>
double seconds(const Stream& stream, std::size_t repeats, Work work) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < repeats; ++i) work();
  stream.synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void run(benchmark::State& state, const Case& c) {
  const Stream stream = default_device().default_stream();
  const std::vector<QuantizedWeight> weights = make_weights(c, c.cold ? cold_bytes : 0);
  const std::vector<float> ones(static_cast<std::size_t>(c.m * c.k), 1.0f);
  const Array x = Array::from(ones, {c.m, c.k});
  StreamReader reader(stream, weights.front().bytes(), c.cold ? cold_bytes : 0);
  std::size_t next = 0;
  const auto multiply = [&] {
    quantized_matmul(x, weights[next], {}, stream);
    next = (next + 1) % weights.size();
  };
  seconds(stream, weights.size(), multiply);  // prepares all copies
  const std::size_t repeats = c.m == 1 ? std::max<std::size_t>(weights.size(), 50) : 1;
  double product_time = 0, stream_time = 0;
  for (auto _ : state) {
    const double time = seconds(stream, repeats, multiply);
    stream_time += seconds(stream, repeats, [&] { reader.enqueue(); });
    product_time += time;
    state.SetIterationTime(time / static_cast<double>(repeats));
  }
  const double products = static_cast<double>(state.iterations()) * static_cast<double>(repeats);
  const double bytes = static_cast<double>(weights.front().bytes());
  const double flops = 2.0 * static_cast<double>(c.m * c.n * c.k);
  state.counters["GB/s"] = bytes * products / product_time * 1e-9;
  state.counters["stream_GB/s"] = bytes * products / stream_time * 1e-9;
  state.counters["of_stream"] = stream_time / product_time;
  state.counters["GFLOP/s"] = flops * products / product_time * 1e-9;
}

/// All products of one decoded token of SmolLM2-135M: 30 layers with fused projections, and the
/// head.
void run_chain(benchmark::State& state) {
  const QuantizationParams affine4{QuantizationMode::affine, 32, 4};
  const Stream stream = default_device().default_stream();
  struct Step {
    Array x;
    QuantizedWeight w;
  };
  std::vector<Step> steps;
  std::size_t bytes = 0;
  const auto add = [&](std::int64_t n, std::int64_t k, const QuantizationParams& params) {
    const std::vector<float> ones(static_cast<std::size_t>(k), 1.0f);
    const Case c{1, n, k, params, DType::f16, false};
    steps.push_back({Array::from(ones, {1, k}), make_weights(c, 0).front()});
    bytes += steps.back().w.bytes();
  };
  for (int layer = 0; layer < 30; ++layer) {
    add(960, 576, affine4);
    add(576, 576, affine4);
    add(3072, 576, affine4);
    add(576, 1536, affine4);
  }
  add(49152, 576, {QuantizationMode::affine, 32, 8});
  const auto token = [&] {
    for (const Step& step : steps) quantized_matmul(step.x, step.w, {}, stream);
  };
  seconds(stream, 1, token);
  StreamReader reader(stream, bytes, bytes);
  double token_time = 0, stream_time = 0;
  for (auto _ : state) {
    const double time = seconds(stream, 10, token);
    stream_time += seconds(stream, 10, [&] { reader.enqueue(); });
    token_time += time;
    state.SetIterationTime(time / 10);
  }
  state.counters["GB/s"] =
      static_cast<double>(bytes) * 10 * static_cast<double>(state.iterations()) / token_time * 1e-9;
  state.counters["of_stream"] = stream_time / token_time;
}

void add_shape(std::int64_t n, std::int64_t k, const QuantizationParams& params, DType scales) {
  for (const std::int64_t m : {1, 8, 32, 128, 512})
    for (const bool cold : {false, true}) {
      if (cold && m != 1) continue;
      const Case c{m, n, k, params, scales, cold};
      benchmark::RegisterBenchmark(name_of(c).c_str(),
                                   [c](benchmark::State& state) { run(state, c); })
          ->UseManualTime()
          ->Iterations(9)
          ->Unit(benchmark::kMicrosecond);
    }
}

/// SmolLM2-135M's fused projections and head, and one shape of larger models in each format.
void add_all() {
  benchmark::RegisterBenchmark("smollm2_token", run_chain)
      ->UseManualTime()
      ->Iterations(9)
      ->Unit(benchmark::kMicrosecond);
  const QuantizationParams affine4{QuantizationMode::affine, 32, 4};
  for (const auto& [n, k] : {std::pair<int, int>{960, 576}, {576, 576}, {3072, 576}, {576, 1536}})
    add_shape(n, k, affine4, DType::f16);
  add_shape(49152, 576, {QuantizationMode::affine, 32, 8}, DType::f16);
  add_shape(4096, 4096, affine4, DType::f16);
  add_shape(4096, 4096, {QuantizationMode::affine, 64, 4}, DType::bf16);
  add_shape(4096, 4096, {QuantizationMode::mxfp4}, DType::u8);
}

}  // namespace
}  // namespace clmx

int main(int argc, char** argv) {
  if (const auto status = clmx::answer_self_check(argc, argv)) return *status;
  clmx::add_all();
  benchmark::Initialize(&argc, argv);
  const clmx::DeviceInfo& device = clmx::default_device().info();
  benchmark::AddCustomContext("device", device.selector + ": " + device.name);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
