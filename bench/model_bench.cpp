#include <benchmark/benchmark.h>

#include <iostream>

#include "answer_self_check.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/nn/generate.hpp"
#include "clmx/nn/model_file.hpp"

// Prefill and decode of a real model on one device: CLMX_MODEL (default: where ./demo puts it) on
// CLMX_DEVICE. Kernels are built and weights prepared before anything is timed.

namespace clmx {
namespace {

/// Ids spread over the vocabulary; what they say does not change the time.
std::vector<std::int32_t> spread_tokens(const LanguageModel& model, std::int64_t count) {
  std::vector<std::int32_t> tokens;
  for (std::int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<std::int32_t>(i * 7919 % model.vocabulary()));
  }
  return tokens;
}

/// One prompt of that many tokens into an empty cache, in one chunk.
void prefill_tokens(benchmark::State& state, LanguageModel& model, const Stream& stream) {
  const std::vector<std::int32_t> prompt = spread_tokens(model, state.range(0));
  const auto once = [&] {
    ModelCache cache = model.new_cache();
    prefill(model, prompt, cache, state.range(0), {}, stream).wait();
  };
  once();
  for (auto _ : state) once();
  state.counters["tok/s"] = benchmark::Counter(
      static_cast<double>(state.range(0) * state.iterations()), benchmark::Counter::kIsRate);
}

/// That many greedy steps after a prompt of 16 tokens.
void decode_tokens(benchmark::State& state, LanguageModel& model, const Stream& stream) {
  const std::vector<std::int32_t> prompt = spread_tokens(model, 16);
  const GenerateOptions options{.max_tokens = state.range(0) + 1, .ignore_eos = true};
  generate(model, prompt, {.max_tokens = 2, .ignore_eos = true}, {}, stream);
  for (auto _ : state) {
    state.SetIterationTime(generate(model, prompt, options, {}, stream).decode_s);
  }
  state.counters["tok/s"] = benchmark::Counter(
      static_cast<double>(state.range(0) * state.iterations()), benchmark::Counter::kIsRate);
}

int run_benchmarks() {
  const Stream stream = default_device().default_stream();
  const auto model = load_model(default_model_path());
  std::cerr << stream.device().info().selector << "  " << stream.device().info().name << '\n';
  const auto add = [&](const char* name, auto function) {
    return benchmark::RegisterBenchmark(
        name, [&, function](benchmark::State& state) { function(state, *model, stream); });
  };
  add("prefill", prefill_tokens)->Arg(512)->UseRealTime()->Unit(benchmark::kMillisecond);
  add("decode", decode_tokens)->Arg(128)->UseManualTime()->Unit(benchmark::kMillisecond);
  benchmark::RunSpecifiedBenchmarks();
  stream.synchronize();
  return 0;
}

}  // namespace
}  // namespace clmx

int main(int argc, char** argv) {
  if (const auto status = clmx::answer_self_check(argc, argv)) return *status;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  try {
    return clmx::run_benchmarks();
  } catch (const clmx::Error& error) {
    std::cerr << "model_bench: " << error.what() << '\n';
    return 1;
  }
}
