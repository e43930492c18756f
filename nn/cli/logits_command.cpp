#include <charconv>
#include <iostream>
#include <memory>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/model_file.hpp"
#include "common_options.hpp"
#include "dtype_option.hpp"
#include "exit_code.hpp"
#include "explanation.hpp"
#include "place_option.hpp"
#include "prompt.hpp"

namespace clmx::cli {
namespace {

struct LogitsOptions {
  std::optional<std::string> prompt, tokens;
  std::string output, dtype = "f32";
  bool last = false;
  PlaceOptions placing;
};

std::vector<std::int32_t> listed_tokens(const std::string& list) {
  std::vector<std::int32_t> tokens;
  const char* at = list.data();
  const char* const end = at + list.size();
  while (true) {
    std::int32_t token = 0;
    const auto [next, error] = std::from_chars(at, end, token);
    if (error != std::errc() || (next != end && *next != ',')) {
      throw UsageError("--tokens '" + list + "' is not a list such as 1,2,3");
    }
    tokens.push_back(token);
    if (next == end) return tokens;
    at = next + 1;
  }
}

std::vector<std::int32_t> wanted_tokens(const LogitsOptions& options, const ModelFile& file) {
  if (options.tokens) return listed_tokens(*options.tokens);
  return raw_tokens(file.tokenizer(), *options.prompt);
}

/// [T or 1, vocabulary] f32 on the host, chunk after chunk.
Array logits_of(LanguageModel& model, std::span<const std::int32_t> tokens, bool last,
                const Stream& stream) {
  constexpr std::size_t chunk = 256;
  const auto positions = static_cast<std::int64_t>(tokens.size());
  ModelCache cache = model.new_cache(positions);
  std::vector<float> values;
  for (std::size_t at = 0; at < tokens.size(); at += chunk) {
    const auto part = tokens.subspan(at, std::min(chunk, tokens.size() - at));
    const bool at_end = at + part.size() == tokens.size();
    const LogitRows rows = !last ? LogitRows::all : at_end ? LogitRows::last : LogitRows::none;
    const Array logits = model.forward(part, cache, rows, stream);
    if (rows == LogitRows::none) continue;
    const std::vector<float> read = cast(logits, DType::f32, stream).to_vector<float>();
    values.insert(values.end(), read.begin(), read.end());
  }
  return Array::from(values, Shape{last ? 1 : positions, model.vocabulary()});
}

int write_logits(const CommonOptions& common, const LogitsOptions& options) {
  if (options.prompt.has_value() == options.tokens.has_value()) {
    throw UsageError("logits takes either --prompt or --tokens");
  }
  std::optional<Device> device;
  if (options.placing.place.empty()) device = common.one_device();
  const ModelFile file(common.model_path());
  const PlaceRequest placing(options.placing, common, file.config().layers);
  if (placing.given()) device = placing.device();
  const std::vector<std::int32_t> tokens = wanted_tokens(options, file);
  const auto positions = static_cast<std::int64_t>(tokens.size());
  require(positions > 0 && positions <= file.config().context, "logits", positions,
          " tokens, the model takes 1 to ", file.config().context);
  const auto model = file.load({.dtype = dtype_from_string(options.dtype)});
  placing.apply(*model, positions, common.quiet);
  const Stream stream = device->default_stream();
  if (options.placing.explain) std::cerr << explain(*model, tokens.front(), stream).text();
  const Array logits = logits_of(*model, tokens, options.last, stream);
  stream.synchronize();
  try {
    save_safetensors(options.output,
                     {{"tokens", Array::from(tokens, Shape{positions})}, {"logits", logits}});
  } catch (const FormatError& error) {
    throw std::runtime_error(error.what());  // the disk's fault, not a model's
  }
  return 0;
}

}  // namespace

Command logits_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser = app.add_subcommand("logits", "Write the logits of a text to a file");
  const auto options = std::make_shared<LogitsOptions>();
  parser->add_option("--prompt", options->prompt, "Raw text; special tokens are parsed");
  parser->add_option("--tokens", options->tokens, "Token ids: 1,2,3");
  parser->add_flag("--last", options->last, "Only the last position");
  parser->add_option("--output", options->output, "A .safetensors file")->required();
  add_dtype_option(*parser, options->dtype);
  add_place_options(*parser, options->placing);
  return {parser, [&common, options] { return write_logits(common, *options); }};
}

}  // namespace clmx::cli
