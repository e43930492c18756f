#include "compare_prompts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "exit_code.hpp"
#include "fingerprint.hpp"
#include "prompt.hpp"

namespace clmx::cli {
namespace {

std::string text_of_file(const std::filesystem::path& file) {
  try {
    const HostBytes bytes = map_file(file);
    return {reinterpret_cast<const char*>(bytes.bytes.data()), bytes.bytes.size()};
  } catch (const FormatError& error) {
    throw UsageError(join("--prompts ", error.what()));
  }
}

std::vector<std::string> listed(const std::string& text, const std::string& file) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const bool texts = json.is_array() &&
                     std::ranges::all_of(json, [](const auto& each) { return each.is_string(); });
  if (!texts) throw UsageError("--prompts " + file + " begins with [ and is no JSON list of texts");
  return json.get<std::vector<std::string>>();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> texts_of(const CompareOptions& options) {
  if (options.text && !options.prompts.empty())
    throw UsageError("compare takes either --text or --prompts");
  if (options.text) return {*options.text};
  if (!options.prompts.empty()) return read_prompts(options.prompts);
  return {fixed_prompts().begin(), fixed_prompts().end()};
}

void check_lengths(const Prompts& prompts, std::int64_t context) {
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto length = static_cast<std::int64_t>(prompts[i].size());
    if (length >= 1 && length <= context) continue;
    throw UsageError(
        join("prompt ", i + 1, " has ", length, " tokens, the model takes 1 to ", context));
  }
}

}  // namespace

std::vector<std::string> read_prompts(const std::filesystem::path& file) {
  const std::string text = text_of_file(file);
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  const bool list = begin != std::string::npos && text[begin] == '[';
  std::vector<std::string> prompts = list ? listed(text, file.string()) : lines_of(text);
  if (prompts.empty()) throw UsageError("--prompts " + file.string() + " holds no prompt");
  return prompts;
}

Prompts prompts_of(const ModelFile& file, const CompareOptions& options) {
  const std::vector<std::string> texts = texts_of(options);
  const Tokenizer tokenizer = file.tokenizer();
  Prompts prompts;
  for (const std::string& text : texts) prompts.push_back(raw_tokens(tokenizer, text));
  check_lengths(prompts, file.config().context);
  return prompts;
}

Prompts prompts_of(const ModelFile& file, const CompareOptions& options,
                   const std::vector<std::int32_t>& told) {
  const bool given = options.text || !options.prompts.empty();
  if (!given) {
    if (told.empty())
      throw UsageError(options.against + " has no tensor tokens: say by --text what it is of");
    check_lengths({told}, file.config().context);
    return {told};
  }
  Prompts prompts = prompts_of(file, options);
  if (prompts.size() != 1)
    throw UsageError(join("--against ", options.against, " is of one text, not of ", prompts.size(),
                          " prompts"));
  if (told.empty() || told == prompts.front()) return prompts;
  const auto [own, other] = std::ranges::mismatch(prompts.front(), told);
  throw UsageError(join("the text has other tokens than ", options.against, " tells, first at ",
                        own - prompts.front().begin()));
}

}  // namespace clmx::cli
