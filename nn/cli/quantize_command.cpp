#include <iostream>
#include <memory>

#include "clmx/devices/error.hpp"
#include "clmx/host/atomic_folder.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/quantize_checkpoint.hpp"
#include "common_options.hpp"
#include "exit_code.hpp"
#include "interrupt.hpp"
#include "json_output.hpp"
#include "progress_bar.hpp"

namespace clmx::cli {
namespace {

struct QuantizeOptions {
  std::string model, out, mode = "affine", plan;
  std::optional<int> bits, group_size;
  bool force = false;
};

class Interrupted {};

QuantizationPlan plan_of(const std::string& file) {
  if (file.empty()) return {};
  try {
    const HostBytes text = map_file(file);
    return parse_quantization_plan(
        {reinterpret_cast<const char*>(text.bytes.data()), text.bytes.size()}, file);
  } catch (const FormatError& error) {
    throw UsageError(join("--plan ", error.what()));
  }
}

Json described(const QuantizationParams& params) {
  return {{"bits", params.bit_count()},
          {"group_size", params.group()},
          {"mode", std::string(to_string(params.mode))}};
}

Json described(const QuantizedCheckpoint& result) {
  Json layers = Json::array();
  for (const auto& layer : result.quantized) {
    Json entry = {{"path", layer.path}};
    entry.update(described(layer.params));
    layers.push_back(std::move(entry));
  }
  return {{"tensors", result.tensors},
          {"parameters", result.parameters},
          {"bits_per_weight", result.bits_per_weight()},
          {"bytes", result.bytes},
          {"source_bytes", result.source_bytes},
          {"files", result.files},
          {"layers", std::move(layers)},
          {"already_quantized", result.already},
          {"kept", result.kept},
          {"not_divisible", result.not_divisible}};
}

void report(const CommonOptions& common, const QuantizeOptions& options, const Device& device,
            const QuantizedCheckpoint& result) {
  if (!common.quiet) {
    for (const std::string& path : result.not_divisible) {
      std::cerr << "kept as it is: " << path << ": the group size does not divide its width\n";
    }
    std::cerr << options.out << ": " << result.quantized.size() << " layers quantized, "
              << result.source_bytes << " bytes became " << result.bytes << ", "
              << result.bits_per_weight() << " bits per weight\n";
  }
  if (!common.json) return;
  Json document = new_document();
  document["model"] = options.model;
  document["output"] = options.out;
  document["device"] = device.info().id;
  document.update(described(result));
  print(document);
}

QuantizedCheckpoint quantized(const CommonOptions& common, const QuantizeOptions& options,
                              const Device& device) {
  QuantizeCheckpointOptions wanted;
  wanted.params = {mode_from_string(options.mode, "--mode"), options.group_size, options.bits};
  wanted.plan = plan_of(options.plan);
  wanted.replace = options.force;
  ProgressBar bar("quantizing", !common.quiet);
  wanted.progress = [&](std::uint64_t done, std::uint64_t total) {
    if (interrupted()) throw Interrupted();
    bar.show(done, total);
  };
  try {
    return quantize_checkpoint(options.model, options.out, wanted, device.default_stream());
  } catch (const FormatError& error) {
    const bool disk = AtomicFolder::holds(options.out, error.file());
    if (disk) throw std::runtime_error(error.what());  // the disk's fault, not a model's
    throw;
  }
}

int quantize_model(const CommonOptions& common, const QuantizeOptions& options) {
  const Device device = common.one_device();
  watch_interrupts();
  watch_terminations();
  try {
    const QuantizedCheckpoint result = quantized(common, options, device);
    report(common, options, device, result);
  } catch (const Interrupted&) {
    std::cerr << "interrupted: nothing was written\n";
    return interrupted_status();
  }
  return 0;
}

}  // namespace

Command quantize_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser =
      app.add_subcommand("quantize", "Quantize a checkpoint folder into another one");
  const auto options = std::make_shared<QuantizeOptions>();
  parser->add_option("MODEL", options->model, "A folder with config.json and .safetensors files")
      ->required();
  parser->add_option("OUT", options->out, "The folder to make")->required();
  parser->add_option("--bits", options->bits, "Bits per weight (default: of the mode; affine 4)");
  parser->add_option("--group-size", options->group_size,
                     "Weights per scale (default: of the mode; affine 64)");
  parser->add_option("--mode", options->mode, "affine, mxfp4, mxfp8 or nvfp4")
      ->check(CLI::IsMember({"affine", "mxfp4", "mxfp8", "nvfp4"}));
  parser->add_option(
      "--plan", options->plan,
      "JSON: path pattern -> {bits, group_size, mode} or \"keep\"; first match wins");
  parser->add_flag("--force", options->force, "Replace a checkpoint that is at OUT");
  return {parser, [&common, options] { return quantize_model(common, *options); }};
}

}  // namespace clmx::cli
