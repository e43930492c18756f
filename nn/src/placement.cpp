#include "clmx/nn/placement.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

constexpr const char* op = "placement";

/// The part of `text` before the first `at`; `text` keeps what is behind it.
std::string_view cut(std::string_view& text, char at) {
  const std::size_t end = std::min(text.find(at), text.size());
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return head;
}

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() != '*') {
    return !name.empty() && pattern.front() == name.front() &&
           matches(pattern.substr(1), name.substr(1));
  }
  for (std::size_t taken = 0; taken <= name.size(); ++taken) {
    if (matches(pattern.substr(1), name.substr(taken))) return true;
  }
  return false;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = !text.empty() && end == text.data() + text.size() && text.front() != '-';
  return error == std::errc() && whole ? std::optional(value) : std::nullopt;
}

std::vector<std::string> layers_between(std::string_view target, std::int64_t first,
                                        std::int64_t last, std::int64_t layers) {
  require(first <= last, op, '\'', target, "': the first layer comes after the last");
  require(last < layers, op, '\'', target, "': the model has the layers 0 to ", layers - 1);
  std::vector<std::string> patterns;
  for (std::int64_t i = first; i <= last; ++i) patterns.push_back(join("model.layers.", i));
  return patterns;
}

std::vector<std::string> patterns_of(std::string_view target, std::int64_t layers) {
  if (target == "embed") return {"model.embed_tokens"};
  if (target == "head") return {"model.norm", "lm_head"};
  std::string_view rest = target;
  const auto first = number(cut(rest, '-')), last = number(rest);
  if (first && target.find('-') == std::string_view::npos) {
    return layers_between(target, *first, *first, layers);
  }
  if (first && last) return layers_between(target, *first, *last, layers);
  const bool pattern = target.find_first_of(".*") != std::string_view::npos || target == "lm_head";
  require(pattern, op, '\'', target,
          "' is no part of a model: a layer such as 3, layers such as 0-14, embed, head, or a "
          "module path such as model.layers.*.mlp are");
  return {std::string(target)};
}

PlacementText parse_entry(std::string_view text, std::int64_t layers) {
  std::string_view devices = text;
  const std::string_view target = cut(devices, '=');
  require(!target.empty() && !devices.empty(), op, '\'', text,
          "' is not of the form target=device, such as 0-14=pocl or head=intel");
  PlacementText entry{std::string(target), patterns_of(target, layers), {}};
  require(devices.back() != '+', op, '\'', text, "': a device is missing after '+'");
  while (!devices.empty()) {
    entry.selectors.emplace_back(cut(devices, '+'));
    require(!entry.selectors.back().empty(), op, '\'', text, "': a device is missing");
  }
  return entry;
}

}  // namespace

bool names_module(std::string_view pattern, std::string_view path) {
  if (pattern.empty()) return false;
  while (!pattern.empty() && !path.empty()) {
    if (!matches(cut(pattern, '.'), cut(path, '.'))) return false;
  }
  return pattern.empty();
}

void Placement::add(std::string pattern, std::vector<RowShare> where) {
  require(!pattern.empty(), op, "a pattern is empty");
  static_cast<void>(cut_rows(0, where));  // refuses shares that cannot be
  entries_.push_back({std::move(pattern), std::move(where)});
}

void Placement::add(std::string pattern, const StreamOrDevice& where) {
  add(std::move(pattern), std::vector<RowShare>{{where}});
}

const Placement::Entry* Placement::find(std::string_view path) const {
  const auto found = std::find_if(entries_.rbegin(), entries_.rend(), [&](const Entry& entry) {
    return names_module(entry.pattern, path);
  });
  return found == entries_.rend() ? nullptr : &*found;
}

std::vector<PlacementText> parse_placement(std::string_view text, std::int64_t layers) {
  require(!text.empty() && text.back() != ',', op, '\'', text,
          "': an entry such as 0-14=pocl is missing");
  std::vector<PlacementText> entries;
  while (!text.empty()) entries.push_back(parse_entry(cut(text, ','), layers));
  return entries;
}

Placement select_devices(const std::vector<PlacementText>& entries) {
  Placement placement;
  for (const PlacementText& entry : entries) {
    std::vector<RowShare> where;
    for (const std::string& selector : entry.selectors) where.push_back({Device::select(selector)});
    for (const std::string& pattern : entry.patterns) placement.add(pattern, where);
  }
  return placement;
}

}  // namespace clmx
