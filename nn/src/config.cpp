#include "clmx/nn/config.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "llama_frequencies.hpp"
#include "strict_json.hpp"

namespace clmx {
namespace {

using Json = nlohmann::json;

/// One JSON object of a configuration file, read with the file's name in every error.
class Fields {
 public:
  Fields(const Json& object, const std::string& file) : object_(object), file_(file) {}

  bool has(const char* key) const {
    const auto found = object_.find(key);
    return found != object_.end() && !found->is_null();
  }
  std::int64_t integer(const char* key) const {
    if (!has(key)) fail(key, "is missing");
    const Json& value = object_.at(key);
    if (!value.is_number_integer()) fail(key, "is not an integer");
    const auto number = value.get<std::int64_t>();
    if (number < 1 || number > std::numeric_limits<std::int32_t>::max()) {
      fail(key, "is out of range");
    }
    return number;
  }
  std::int64_t integer(const char* key, std::int64_t otherwise) const {
    return has(key) ? integer(key) : otherwise;
  }
  double number(const char* key, double otherwise) const {
    if (!has(key)) return otherwise;
    const Json& value = object_.at(key);
    if (!value.is_number()) fail(key, "is not a number");
    const double number = value.get<double>();
    if (!std::isfinite(number) || number < 0) fail(key, "is out of range");
    return number;
  }
  bool boolean(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    if (!object_.at(key).is_boolean()) fail(key, "is not true or false");
    return object_.at(key).get<bool>();
  }
  std::string text(const char* key, const std::string& otherwise) const {
    if (!has(key)) return otherwise;
    if (!object_.at(key).is_string()) fail(key, "is not a string");
    return object_.at(key).get<std::string>();
  }
  const Json* object(const char* key) const {
    if (!has(key)) return nullptr;
    if (!object_.at(key).is_object()) fail(key, "is not an object");
    return &object_.at(key);
  }
  const Json& json() const { return object_; }
  [[noreturn]] void fail(const std::string& key, const std::string& reason) const {
    throw FormatError(file_, 0, key + ' ' + reason);
  }

 private:
  const Json& object_;
  const std::string& file_;
};

Json parse_object(std::string_view text, const std::string& file) {
  constexpr std::size_t limit = 64U << 20U;
  if (text.size() > limit) throw FormatError(file, 0, "is larger than 64 MiB");
  Json json = parse_json(text, file);
  if (!json.is_object()) throw FormatError(file, 0, "is not a JSON object");
  return json;
}

std::vector<std::int32_t> eos_ids(const Fields& fields) {
  std::vector<std::int32_t> ids;
  if (!fields.has("eos_token_id")) return ids;
  const Json& value = fields.json().at("eos_token_id");
  for (const Json& id : value.is_array() ? value : Json::array({value})) {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0 ||
        id.get<std::int64_t>() > std::numeric_limits<std::int32_t>::max()) {
      fields.fail("eos_token_id", "is not a token id or a list of them");
    }
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

void read_rope_scaling(const Fields& scaling, LlamaConfig& config) {
  const std::string kind = scaling.text("type", scaling.text("rope_type", "default"));
  if (kind == "default") return;
  if (kind == "linear") {
    const double factor = scaling.number("factor", 1.0);
    if (factor <= 0) scaling.fail("rope_scaling.factor", "is not positive");
    config.rope.scale = 1.0 / factor;
    return;
  }
  if (kind != "llama3") scaling.fail("rope_scaling", "is of the unsupported kind " + kind);
  Llama3Scaling scale;
  scale.factor = scaling.number("factor", 8.0);
  scale.low_freq_factor = scaling.number("low_freq_factor", 1.0);
  scale.high_freq_factor = scaling.number("high_freq_factor", 4.0);
  scale.original_context = scaling.number("original_max_position_embeddings", 8192);
  if (scale.factor <= 0 || scale.low_freq_factor <= 0 || scale.original_context <= 0 ||
      scale.high_freq_factor <= scale.low_freq_factor) {
    scaling.fail("rope_scaling", "has factors out of range");
  }
  config.rope.periods = llama3_periods(*config.rope.base, config.rope.dims, scale);
  config.rope.base.reset();
}

LlamaConfig read_model(const Fields& fields, const std::string& file) {
  const std::string family = fields.text("model_type", "");
  if (family != "llama") fields.fail("model_type", "'" + family + "' is not supported: llama is");
  const std::string activation = fields.text("hidden_act", "silu");
  if (activation != "silu") fields.fail("hidden_act", "'" + activation + "' is not supported");
  LlamaConfig config;
  config.hidden_size = fields.integer("hidden_size");
  config.intermediate_size = fields.integer("intermediate_size");
  config.layers = fields.integer("num_hidden_layers");
  config.heads = fields.integer("num_attention_heads");
  config.kv_heads = fields.integer("num_key_value_heads", config.heads);
  config.head_dim = fields.integer("head_dim", config.hidden_size / config.heads);
  config.vocabulary = fields.integer("vocab_size");
  config.context = fields.integer("max_position_embeddings", 2048);
  config.rms_norm_eps = static_cast<float>(fields.number("rms_norm_eps", 1e-5));
  config.tied_head = fields.boolean("tie_word_embeddings", true);
  config.rope.dims = static_cast<int>(config.head_dim);
  config.rope.traditional = fields.boolean("rope_traditional", false);
  config.rope.base = fields.number("rope_theta", 10000.0);
  if (const Json* scaling = fields.object("rope_scaling")) {
    read_rope_scaling(Fields(*scaling, file), config);
  }
  config.eos = eos_ids(fields);
  return config;
}

QuantizationParams read_params(const Fields& fields) {
  QuantizationParams params;
  try {
    params.mode = mode_from_string(fields.text("mode", "affine"), "config.json");
  } catch (const ArgumentError& error) {
    fields.fail("quantization.mode", error.what());
  }
  // An object's absent values are those of its own mode: nothing is inherited from the top level.
  params.group_size = static_cast<int>(
      fields.integer("group_size", QuantizationParams{params.mode, {}, {}}.group()));
  params.bits =
      static_cast<int>(fields.integer("bits", QuantizationParams{params.mode, {}, {}}.bit_count()));
  return params;
}

QuantizationConfig read_quantization(const Fields& fields, const std::string& file) {
  std::map<std::string, std::optional<QuantizationParams>> by_path;
  const Json* quantization = fields.object("quantization");
  if (quantization == nullptr) {
    const Json* other = fields.object("quantization_config");
    const std::string method =
        other == nullptr ? "" : Fields(*other, file).text("quant_method", "");
    if (!method.empty() && method != "mxfp4") {
      fields.fail("quantization_config.quant_method", "'" + method + "' is not supported");
    }
    return {};
  }
  read_params(Fields(*quantization, file));
  for (const auto& [path, value] : quantization->items()) {
    if (value.is_object()) by_path[path] = read_params(Fields(value, file));
    if (value.is_boolean() && !value.get<bool>()) by_path[path] = std::nullopt;
  }
  return QuantizationConfig(std::move(by_path));
}

}  // namespace

void check_config(const LlamaConfig& config, const std::string& file) {
  const auto check = [&](bool fits, const char* reason) {
    if (!fits) throw FormatError(file, 0, reason);
  };
  check(config.heads % config.kv_heads == 0, "the key heads do not divide the query heads");
  check(config.head_dim % 2 == 0 && config.rope.dims % 2 == 0, "head_dim is odd");
  check(config.rope.dims <= config.head_dim, "more rotated elements than head_dim");
  check(config.head_dim <= 1024, "head_dim is larger than 1024");
  check(config.layers <= 4096, "more than 4096 layers");
  check(config.rms_norm_eps > 0, "rms_norm_eps is not positive");
  check(!config.rope.base || *config.rope.base > 0, "rope_theta is not positive");
}

QuantizationConfig parse_quantization(std::string_view config, const std::string& file) {
  const Json json = parse_object(config, file);
  return read_quantization(Fields(json, file), file);
}

FolderConfig parse_config(std::string_view config, std::string_view generation,
                          const std::string& file) {
  const Json json = parse_object(config, file);
  const Fields fields(json, file);
  FolderConfig result{read_model(fields, file), read_quantization(fields, file)};
  check_config(result.model, file);
  if (!generation.empty()) {
    const std::string generation_file = "generation_config.json";
    const Json other = parse_object(generation, generation_file);
    std::vector<std::int32_t> ids = eos_ids(Fields(other, generation_file));
    if (!ids.empty()) result.model.eos = std::move(ids);
  }
  return result;
}

}  // namespace clmx
