#include "compare_logits.hpp"

#include <algorithm>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"

namespace clmx::cli {
namespace {

Array logits_in(const SafetensorsFile& tensors, const std::string& file, std::int64_t vocabulary) {
  const TensorEntry& entry = tensors.at("logits");
  const bool is_one = entry.shape.size() == 3 && entry.shape[0] == 1;
  const bool float_type = entry.type == "F32" || entry.type == "F16" || entry.type == "BF16";
  const std::size_t rank = entry.shape.size() - (is_one ? 1 : 0);
  if (!float_type || rank != 2 || entry.shape.back() != vocabulary) {
    std::string shape;
    for (const std::int64_t size : entry.shape) shape += (shape.empty() ? "" : ", ") + join(size);
    throw FormatError(file, entry.file_offset,
                      join("tensor logits is ", entry.type, " [", shape,
                           "], wanted is F32, F16 or BF16 [tokens, ", vocabulary, "]"));
  }
  const Array logits = tensors.array("logits");
  return logits.reshape({logits.size() / vocabulary, vocabulary});
}

std::vector<std::int32_t> tokens_in(const SafetensorsFile& tensors, const std::string& file,
                                    std::int64_t vocabulary) {
  if (!tensors.tensors().contains("tokens")) return {};
  const Array stored = tensors.array("tokens");
  if (is_float(stored.dtype()))
    throw FormatError(file, 0, join("tensor tokens is ", stored.dtype(), ", wanted are integers"));
  std::vector<std::int32_t> tokens;
  for (const double id : widen(stored).values) {
    if (id < 0 || id >= static_cast<double>(vocabulary))
      throw FormatError(file, 0, join("token ", id, " is none of the model's ", vocabulary));
    tokens.push_back(static_cast<std::int32_t>(id));
  }
  return tokens;
}

}  // namespace

bool names_logits(const std::string& file) {
  return file.ends_with(".safetensors");
}

GivenLogits read_logits(const std::filesystem::path& file, std::int64_t vocabulary) {
  const SafetensorsFile tensors(file);
  const std::string name = file.string();
  GivenLogits given{tokens_in(tensors, name, vocabulary),
                    widen(logits_in(tensors, name, vocabulary))};
  if (!given.tokens.empty()) check_rows(given, given.tokens.size(), name);
  return given;
}

void check_rows(const GivenLogits& given, std::size_t tokens, const std::string& file) {
  if (given.logits.shape[0] == static_cast<std::int64_t>(tokens)) return;
  throw FormatError(file, 0,
                    join("has logits of ", given.logits.shape[0], " positions for ", tokens,
                         " tokens: a row for each is wanted"));
}

}  // namespace clmx::cli
