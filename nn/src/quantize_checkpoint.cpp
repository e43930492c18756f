#include "clmx/nn/quantize_checkpoint.hpp"

#include <algorithm>
#include <cstdio>

#include "checkpoint_files.hpp"
#include "checkpoint_layers.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/atomic_folder.hpp"
#include "clmx/host/mapped_pages.hpp"
#include "clmx/host/ops_quantized.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

constexpr const char* op = "quantize_checkpoint";
constexpr std::size_t most_block_bytes = 32U << 20U;  // of a source's tensor, at a time

DType float_type(const std::string& type) {
  return type == "F32" ? DType::f32 : type == "F16" ? DType::f16 : DType::bf16;
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  const auto [in_folder, in_path] =
      std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  static_cast<void>(in_path);
  return in_folder == folder.end();
}

bool is_checkpoint_file(const fs::directory_entry& entry) {
  return entry.is_regular_file() || entry.path().filename() == chat_templates;
}

/// Whether a folder has what quantize_checkpoint writes, and no folder of anything else.
bool is_checkpoint(const fs::path& folder) {
  bool tensors = false;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!is_checkpoint_file(entry)) return false;
    tensors = tensors || is_model_file(entry.path().filename().string());
  }
  return tensors && fs::exists(folder / "config.json");
}

/// Whether anything of the source lies there, by way of links too.
bool holds_source(const fs::path& folder, const fs::path& source) {
  if (is_inside(fs::canonical(source), folder)) return true;
  const auto entries = fs::directory_iterator(source);
  return std::any_of(begin(entries), end(entries), [&](const auto& entry) {
    std::error_code dangling;
    return is_inside(fs::canonical(entry.path(), dangling), folder);
  });
}

/// What is replaced is removed, so it has to be what this function makes, and not what it reads.
void check_replaceable(const fs::path& source, const fs::path& target, bool replace) {
  const fs::path at = AtomicFolder::resolved(target);
  require(fs::exists(at.parent_path()), op, at.parent_path().string(), " is not there");
  if (!fs::exists(at)) return;
  require(replace, op, target.string(), " is there already");
  require(fs::is_directory(at), op, target.string(), " is there and is not a folder");
  require(fs::is_empty(at) || is_checkpoint(at), op, target.string(),
          " holds no checkpoint, or something else besides: it is not replaced");
  require(!holds_source(at, source), op, target.string(), " holds the source");
}

void check_target(const fs::path& source, const fs::path& target, bool replace) {
  require(!target.empty(), op, "the target has no name");
  try {
    check_replaceable(source, target, replace);
  } catch (const fs::filesystem_error& error) {
    throw ArgumentError(join("[", op, "] ", target.string(), ": ", error.code().message()));
  }
}

/// Steps that go into one file each, in order; a step is never divided.
std::vector<std::span<const CheckpointStep>> shards_of(const std::vector<CheckpointStep>& steps,
                                                       std::uint64_t most_bytes) {
  std::vector<std::span<const CheckpointStep>> shards;
  std::size_t begin = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (i > begin && (bytes > most_bytes || steps[i].output_bytes > most_bytes - bytes)) {
      shards.push_back(std::span(steps).subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += steps[i].output_bytes;
  }
  shards.push_back(std::span(steps).subspan(begin));
  return shards;
}

std::string shard_name(std::size_t index, std::size_t count) {
  if (count == 1) return "model.safetensors";
  char name[64] = {};  // NOLINT(modernize-avoid-c-arrays)
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

int alignment_of(const std::string& type) {
  if (type.ends_with("64")) return 8;
  if (type.ends_with("32")) return 4;
  return type.ends_with("16") ? 2 : 1;
}

/// All tensors of a shard, larger elements first, so that each is aligned to its own.
std::vector<TensorDeclaration> declared(std::span<const CheckpointStep> shard) {
  std::vector<TensorDeclaration> all;
  for (const CheckpointStep& step : shard) {
    all.insert(all.end(), step.outputs.begin(), step.outputs.end());
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return alignment_of(a.type) > alignment_of(b.type);
  });
  return all;
}

/// Writes the tensors of a checkpoint and counts what is done.
class TensorWork {
 public:
  TensorWork(const FolderCheckpoint& source, const QuantizeCheckpointOptions& options,
             std::uint64_t total, StreamOrDevice s)
      : source_(source),
        options_(options),
        total_(total),
        stream_(s.resolve()),
        block_bytes_(std::min(most_block_bytes, stream_.device().info().max_allocation_bytes / 2)) {
  }

  void write_shard(const fs::path& path, std::span<const CheckpointStep> shard) {
    SafetensorsWriter file(path, declared(shard), {{"format", "mlx"}});
    for (const CheckpointStep& step : shard) {
      if (step.params) {
        write_quantized(file, step);
      } else {
        write_copy(file, step);
      }
    }
    file.commit();
  }

 private:
  void write_copy(SafetensorsWriter& file, const CheckpointStep& step) {
    std::span<const std::byte> left = source_.entry(step.source).bytes.bytes;
    while (!left.empty()) {
      const auto block = left.first(std::min(most_block_bytes, left.size()));
      file.append(step.source, block);
      advance(block);
      left = left.subspan(block.size());
    }
  }

  void write_quantized(SafetensorsWriter& file, const CheckpointStep& step) {
    const TensorEntry& entry = source_.entry(step.source);
    const std::int64_t width = entry.shape.back();
    const DType dtype = float_type(entry.type);
    const std::size_t row_bytes = static_cast<std::size_t>(width) * size_of(dtype);
    const std::size_t block = std::max<std::size_t>(block_bytes_ / row_bytes, 1) * row_bytes;
    std::span<const std::byte> left = entry.bytes.bytes;
    while (!left.empty()) {
      const auto rows = left.first(std::min(block, left.size()));
      const Shape shape{static_cast<std::int64_t>(rows.size() / row_bytes), width};
      append(file, step,
             quantize_arrays(Array::from_bytes(rows, shape, dtype), *step.params, stream_));
      advance(rows);
      left = left.subspan(rows.size());
    }
  }

  static void append(SafetensorsWriter& file, const CheckpointStep& step,
                     const QuantizedArrays& rows) {
    file.append(step.outputs[0].name, rows.packed.map_bytes().bytes);
    file.append(step.outputs[1].name, rows.scales.map_bytes().bytes);
    if (rows.biases) file.append(step.outputs[2].name, rows.biases->map_bytes().bytes);
  }

  void advance(std::span<const std::byte> block) {
    release_mapped_pages(block);
    done_ += block.size();
    if (options_.progress) options_.progress(done_, total_);
  }

  const FolderCheckpoint& source_;
  const QuantizeCheckpointOptions& options_;
  std::uint64_t total_, done_ = 0;
  Stream stream_;
  std::size_t block_bytes_;  // of what the device takes
};

void write_tensors(const fs::path& folder, const std::vector<CheckpointStep>& steps,
                   TensorWork& work, const QuantizeCheckpointOptions& options,
                   const QuantizedCheckpoint& report) {
  const auto shards = shards_of(steps, options.shard_bytes);
  nlohmann::json names = nlohmann::json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    work.write_shard(folder / name, shards[i]);
    for (const CheckpointStep& step : shards[i]) {
      for (const TensorDeclaration& tensor : step.outputs) names[tensor.name] = name;
    }
  }
  write_json(folder / "model.safetensors.index.json",
             {{"metadata", {{"total_size", report.bytes}, {"total_parameters", report.parameters}}},
              {"weight_map", std::move(names)}});
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

double QuantizedCheckpoint::bits_per_weight() const {
  return static_cast<double>(bytes) * 8 /
         static_cast<double>(std::max<std::uint64_t>(parameters, 1));
}

QuantizedCheckpoint quantize_checkpoint(const fs::path& source, const fs::path& target,
                                        const QuantizeCheckpointOptions& options,
                                        StreamOrDevice s) {
  nlohmann::json config = read_source_config(source);
  check_target(source, target, options.replace);
  const FolderCheckpoint checkpoint(source, QuantizationConfig{});
  CheckpointSteps plan = plan_checkpoint(checkpoint, config, options);
  config["quantization"] = plan.quantization;
  config["quantization_config"] = plan.quantization;

  AtomicFolder folder(
      target, options.replace ? AtomicFolder::Existing::replace : AtomicFolder::Existing::refuse);
  TensorWork work(checkpoint, options, plan.report.source_bytes, s);
  write_tensors(folder.path(), plan.steps, work, options, plan.report);
  write_json(folder.path() / "config.json", config);
  copy_side_files(source, folder.path());
  plan.report.files = names_in(folder.path());
  folder.commit();
  return std::move(plan.report);
}

}  // namespace clmx
