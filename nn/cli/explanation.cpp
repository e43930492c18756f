#include "explanation.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "clmx/devices/error.hpp"

namespace clmx::cli {
namespace {

constexpr std::string_view layers = "model.layers.";

std::string text_of(const Array& array) {
  return join(array.dtype(), array.shape());
}

/// The number behind "model.layers."; nothing for other parts.
std::optional<int> layer_of(std::string_view path) {
  if (!path.starts_with(layers)) return {};
  path.remove_prefix(layers.size());
  int layer = 0;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), layer);
  return error == std::errc() ? std::optional(layer) : std::nullopt;
}

/// "self_attn" of "model.layers.3.self_attn".
std::string_view part_of_layer(std::string_view path) {
  const std::size_t dot = path.find('.', layers.size());
  return dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
}

}  // namespace

void Explanation::op(std::string_view name, const std::any&, std::span<const Array> inputs,
                     const Array& output) {
  const std::optional<Device> device = output.home();
  std::string shapes;
  for (const Array& input : inputs) shapes += (shapes.empty() ? "" : ", ") + text_of(input);
  if (parts_.empty()) part("");
  parts_.back().lines.push_back(join(name, '(', shapes, ") = ", text_of(output), " on ",
                                     device ? device->info().selector : "the host"));
}

void Explanation::part(std::string_view path) {
  parts_.push_back({std::string(path), {}, -1});
}

void Explanation::transfer(const DeviceTransfer& transfer) {
  if (parts_.empty()) part("");
  parts_.back().lines.push_back(join(transfer.bytes, " bytes from ", transfer.from.info().selector,
                                     " to ", transfer.to.info().selector,
                                     transfer.shared ? ": the same host pages" : ": copied"));
}

std::vector<Explanation::Part> Explanation::grouped() const {
  std::vector<Part> whole;  // the parts of a layer put together
  for (const Part& part : parts_) {
    const std::optional<int> layer = layer_of(part.path);
    if (!layer) {
      whole.push_back(part);
      continue;
    }
    if (whole.empty() || whole.back().last_layer != *layer) {
      whole.push_back({join(layers, *layer), {}, *layer});
    }
    for (const std::string& line : part.lines) {
      whole.back().lines.push_back(join(part_of_layer(part.path), ": ", line));
    }
  }
  std::vector<Part> groups;
  for (Part& part : whole) {
    const bool equal = !groups.empty() && part.last_layer >= 0 && groups.back().last_layer >= 0 &&
                       groups.back().lines == part.lines;
    if (equal) {
      groups.back().last_layer = part.last_layer;
    } else {
      groups.push_back(std::move(part));
    }
  }
  for (Part& group : groups) {
    const std::string last = std::to_string(group.last_layer);
    if (group.last_layer >= 0 && layer_of(group.path) != group.last_layer) group.path += '-' + last;
  }
  return groups;
}

std::string Explanation::text() const {
  std::string text;
  for (const Part& group : grouped()) {
    text += group.path + '\n';
    for (const std::string& line : group.lines) text += "  " + line + '\n';
  }
  return text;
}

Json Explanation::json() const {
  Json list = Json::array();
  for (const Part& group : grouped()) list.push_back({{"part", group.path}, {"ops", group.lines}});
  return list;
}

Explanation explain(LanguageModel& model, std::int32_t token, const Stream& stream) {
  Explanation explanation;
  const TapScope scope(explanation);
  ModelCache cache = model.new_cache(1);
  model.forward(std::span(&token, 1), cache, LogitRows::last, stream);
  return explanation;
}

}  // namespace clmx::cli
