#include "checkpoint_layers.hpp"

#include <algorithm>
#include <set>

#include "clmx/devices/error.hpp"
#include "family_rules.hpp"

namespace clmx {
namespace {

using Json = nlohmann::json;

constexpr const char* op = "quantize_checkpoint";

bool is_float_type(const std::string& type) {
  return type == "F32" || type == "F16" || type == "BF16";
}

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('.') + 1);  // the whole when there is no dot
}

/// A router, or a layer inside of one: ...mlp.gate, ...router.layer.
bool is_router(const std::string& path) {
  const auto names_one = [](const std::string& name) {
    return name == "gate" || name == "shared_expert_gate" || name == "router";
  };
  const std::string name = last_part(path);
  if (names_one(name)) return true;
  return name != path && names_one(last_part(path.substr(0, path.size() - name.size() - 1)));
}

bool is_expert_stack(const std::string& path) {
  const std::string parts = "." + path + ".";
  return parts.find(".experts.") != std::string::npos ||
         parts.find(".switch_") != std::string::npos;
}

std::string text_of(const Json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_string() ? found->get<std::string>() : "";
}

bool is_tied(const Json& config) {
  const auto found = config.find("tie_word_embeddings");
  if (found != config.end() && found->is_boolean()) return found->get<bool>();
  return is_tied_by_default(text_of(config, "model_type"));
}

bool is_left_out(const std::string& name, bool tied) {
  return name.ends_with("rotary_emb.inv_freq") || (tied && name.starts_with("lm_head."));
}

std::uint64_t elements_of(const TensorEntry& entry) {
  std::uint64_t count = 1;
  for (const std::int64_t size : entry.shape) count *= static_cast<std::uint64_t>(size);
  return count;
}

Json described(const QuantizationParams& params) {
  return {{"group_size", params.group()},
          {"bits", params.bit_count()},
          {"mode", std::string(to_string(params.mode))}};
}

QuantizationParams complete(const QuantizationParams& params) {
  return {params.mode, params.group(), params.bit_count()};
}

std::vector<TensorDeclaration> parts_of(const std::string& path, const TensorEntry& weight,
                                        const QuantizationParams& params) {
  const std::int64_t width = weight.shape.back();
  const bool affine = params.mode == QuantizationMode::affine;
  std::vector<std::int64_t> packed = weight.shape, scales = weight.shape;
  packed.back() = width / 32 * params.bit_count() + width % 32 * params.bit_count() / 32;
  scales.back() = width / params.group();
  const std::string type = affine ? weight.type : "U8";
  std::vector<TensorDeclaration> parts = {{path + ".weight", "U32", packed},
                                          {path + ".scales", type, scales}};
  if (affine) parts.push_back({path + ".biases", type, scales});
  return parts;
}

/// Walks the tensors of a source and decides what becomes of each.
class Planner {
 public:
  Planner(const FolderCheckpoint& source, const Json& config,
          const QuantizeCheckpointOptions& options)
      : source_(source),
        options_(options),
        tied_(is_tied(config)),
        family_(family_rules(text_of(config, "model_type"))) {
    const auto found = config.find("quantization");
    partly_ = found != config.end();
    if (partly_) plan_.quantization = *found;
    const bool sized =
        plan_.quantization.contains("group_size") && plan_.quantization.contains("bits");
    if (!sized) plan_.quantization.update(described(options.params));
  }

  CheckpointSteps run() {
    for (const std::string& name : source_.names()) {
      if (!is_left_out(name, tied_)) add(name);
    }
    for (std::size_t i = 0; i < options_.plan.rules.size(); ++i) {
      require(used_.contains(i), op, "pattern '", options_.plan.rules[i].pattern,
              "' of the plan fits no layer");
    }
    require_some();
    return std::move(plan_);
  }

 private:
  void require_some() const {
    const QuantizedCheckpoint& report = plan_.report;
    if (!report.quantized.empty()) return;
    require(report.kept.empty(), op, "the plan keeps every layer of ", source_.where());
    require(report.not_divisible.empty(), op, "group size ", options_.params.group(),
            " divides the width of no layer of ", source_.where());
    throw FormatError(source_.where(), 0,
                      report.already.empty() ? "has no layer to quantize" : "is quantized already");
  }

  void add(const std::string& name) {
    const TensorEntry& entry = source_.entry(name);
    CheckpointStep step{name, {}, {{name, entry.type, entry.shape}}, 0};
    if (name.ends_with(".weight")) {
      const std::string path = name.substr(0, name.size() - std::string(".weight").size());
      step.params = decide(path, entry);
      if (step.params) step.outputs = parts_of(path, entry, *step.params);
    }
    for (const TensorDeclaration& tensor : step.outputs) step.output_bytes += bytes_of(tensor);
    plan_.report.tensors += step.outputs.size();
    plan_.report.bytes += step.output_bytes;
    plan_.report.source_bytes += entry.bytes.bytes.size();
    plan_.report.parameters += parameters(name, entry);
    plan_.steps.push_back(std::move(step));
  }

  bool is_layer(const std::string& path, const TensorEntry& weight) const {
    if (source_.has(path + ".scales")) return true;
    const std::size_t rank = weight.shape.size();
    return is_float_type(weight.type) && elements_of(weight) > 0 &&
           (rank == 2 || (rank == 3 && is_expert_stack(path)));
  }

  /// Parameters for the layer; absent when it is none or is kept, which the report says.
  std::optional<QuantizationParams> decide(const std::string& path, const TensorEntry& weight) {
    if (!is_layer(path, weight)) return {};
    mark_used(path);
    if (source_.has(path + ".scales")) return keep(path, plan_.report.already);
    const QuantizationPlan::Rule* rule = options_.plan.find(path);
    if (rule != nullptr && !rule->params) {
      plan_.quantization[checked_name(path)] = false;
      return keep(path, plan_.report.kept);
    }
    const QuantizationPlan::Rule* usual = family_.find(path);
    if (rule == nullptr && (usual == nullptr ? is_router(path) : !usual->params)) {
      return keep(path, plan_.report.kept);
    }
    const bool own = rule != nullptr || usual != nullptr;
    const QuantizationParams params = complete(rule != nullptr    ? *rule->params
                                               : usual != nullptr ? *usual->params
                                                                  : options_.params);
    if (weight.shape.back() % params.group() != 0) {
      require(rule == nullptr, op, "layer ", path, ": its width ", weight.shape.back(),
              " is not divisible by the plan's group size ", params.group());
      return keep(path, plan_.report.not_divisible);
    }
    record(path, params, own);
    return params;
  }

  void mark_used(const std::string& path) {
    for (std::size_t i = 0; i < options_.plan.rules.size(); ++i) {
      if (matches_pattern(options_.plan.rules[i].pattern, path)) used_.insert(i);
    }
  }

  static std::optional<QuantizationParams> keep(const std::string& path,
                                                std::vector<std::string>& list) {
    list.push_back(path);
    return {};
  }

  /// A path that config.json can list.
  const std::string& checked_name(const std::string& path) const {
    if (path != "group_size" && path != "bits" && path != "mode") return path;
    throw FormatError(source_.where(), 0,
                      "layer " + path + " cannot be recorded: its name is taken");
  }

  void record(const std::string& path, const QuantizationParams& params, bool own) {
    checked_name(path);
    if (source_.has(path + ".biases")) {
      throw FormatError(source_.where(), 0,
                        "layer " + path + " cannot be quantized: the name of its biases is taken");
    }
    if (own || partly_) plan_.quantization[path] = described(params);
    plan_.report.quantized.push_back({path, params});
  }

  /// As mlx-lm counts: a packed weight's elements, no scales and biases.
  std::uint64_t parameters(const std::string& name, const TensorEntry& entry) const {
    const std::string path = name.substr(0, std::max<std::size_t>(name.rfind('.'), 1));
    const bool part = source_.has(path + ".scales") && source_.has(path + ".weight");
    if (!part || last_part(name) == "bias") return elements_of(entry);
    return name == path + ".weight" ? elements_of(entry) * 32 / stored_bits(path) : 0;
  }

  std::uint64_t stored_bits(const std::string& path) const {
    const auto own = plan_.quantization.find(path);
    const Json& object =
        own != plan_.quantization.end() && own->is_object() ? *own : plan_.quantization;
    const auto bits = object.find("bits");
    const bool fits = bits != object.end() && bits->is_number_integer() && *bits >= 1 && *bits <= 8;
    return fits ? bits->get<std::uint64_t>() : 4;
  }

  const FolderCheckpoint& source_;
  const QuantizeCheckpointOptions& options_;
  bool tied_, partly_ = false;
  const QuantizationPlan& family_;
  std::set<std::size_t> used_;  // rules of the plan that fit a layer
  CheckpointSteps plan_;
};

}  // namespace

CheckpointSteps plan_checkpoint(const FolderCheckpoint& source, const Json& config,
                                const QuantizeCheckpointOptions& options) {
  check_storable(options.params, op);
  return Planner(source, config, options).run();
}

}  // namespace clmx
