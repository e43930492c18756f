#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/devices/selection.hpp"
#include "select.hpp"

namespace clmx {
namespace {

constexpr std::string_view id_prefix = "id=", name_prefix = "name~";

struct Alias {
  std::string_view name;
  std::string_view platform;  // part of CL_PLATFORM_NAME, in lower case
};
constexpr std::array aliases{
    Alias{"pocl", "portable computing language"},
    Alias{"intel", "intel"},
    Alias{"rusticl", "rusticl"},
    Alias{"nvidia", "nvidia"},
    Alias{"amd", "amd accelerated parallel"},
    Alias{"apple", "apple"},
    Alias{"mali", "arm platform"},
    Alias{"adreno", "qualcomm"},
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool contains(std::string_view text, std::string_view part) {
  return lower(text).find(lower(part)) != std::string::npos;
}

std::optional<int> parse_number(std::string_view text) {
  int number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || rest != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

[[noreturn]] void throw_not_found(std::span<const DeviceInfo> devices, std::string_view selector,
                                  std::string_view reason) {
  std::string message = join("device '", selector, "': ", reason);
  message += devices.empty() ? "; there are no OpenCL devices" : "; devices:";
  for (const DeviceInfo& device : devices) {
    message += join("\n  ", device.selector, "  ", device.platform_index, '.', device.device_index,
                    "  id=", device.id, "  ", device.name, " (", device.platform, ')');
  }
  throw DeviceNotFound(message);
}

// The count-th device that the predicate accepts.
template <class Predicate>
std::optional<std::size_t> nth(std::span<const DeviceInfo> devices, int count,
                               Predicate predicate) {
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (predicate(devices[i]) && count-- == 0) return i;
  }
  return std::nullopt;
}

bool is_alias(std::string_view word) {
  return std::any_of(aliases.begin(), aliases.end(),
                     [word](const Alias& alias) { return alias.name == word; });
}

std::optional<std::size_t> by_word(std::span<const DeviceInfo> devices, std::string_view given,
                                   std::string_view selector) {
  const std::size_t colon = selector.find(':');
  const std::string word = lower(selector.substr(0, colon));
  const std::optional<int> count =
      colon == std::string_view::npos ? 0 : parse_number(selector.substr(colon + 1));
  if (!count) throw_not_found(devices, given, "what follows ':' must be a number");
  // A device's own selector is its name, whatever type CLMX_PRETEND gives it.
  if (const auto own =
          nth(devices, 0, [&](const DeviceInfo& d) { return d.selector == selector; })) {
    return own;
  }
  if (is_alias(word)) {
    return nth(devices, *count,
               [&](const DeviceInfo& device) { return platform_alias(device.platform) == word; });
  }
  if (word != "cpu" && word != "gpu" && word != "accelerator") {
    throw_not_found(
        devices, given,
        "not a selector (alias[:n], type[:n], p.d, id=HEX or name~TEXT, each with /units "
        "for a sub-device)");
  }
  return nth(devices, *count,
             [&](const DeviceInfo& device) { return to_string(device.type) == word; });
}

std::optional<std::size_t> by_position(std::span<const DeviceInfo> devices, std::string_view given,
                                       std::string_view selector) {
  const std::size_t dot = selector.find('.');
  const auto platform = parse_number(selector.substr(0, dot));
  const auto device =
      dot == std::string_view::npos ? std::nullopt : parse_number(selector.substr(dot + 1));
  if (!platform || !device) {
    throw_not_found(devices, given, "a position is platform.device, e.g. 0.1");
  }
  return nth(devices, 0, [&](const DeviceInfo& info) {
    return info.platform_index == *platform && info.device_index == *device;
  });
}

std::optional<std::size_t> by_id(std::span<const DeviceInfo> devices, std::string_view selector,
                                 std::string_view id) {
  if (id.empty()) throw_not_found(devices, selector, "id= needs hexadecimal digits");
  const auto matches = [start = lower(id)](const DeviceInfo& device) {
    return device.id.substr(0, start.size()) == start;
  };
  if (nth(devices, 1, matches)) throw_not_found(devices, selector, "several ids start like this");
  return nth(devices, 0, matches);
}

std::optional<std::size_t> by_name(std::span<const DeviceInfo> devices, std::string_view selector,
                                   std::string_view text) {
  if (text.empty()) throw_not_found(devices, selector, "name~ needs a part of a name");
  return nth(devices, 0, [&](const DeviceInfo& info) { return contains(info.name, text); });
}

// `selector` without /units; `given` is what the caller wrote.
std::optional<std::size_t> find(std::span<const DeviceInfo> devices, std::string_view given,
                                std::string_view selector) {
  if (selector.starts_with(id_prefix)) {
    return by_id(devices, given, selector.substr(id_prefix.size()));
  }
  if (selector.starts_with(name_prefix)) {
    return by_name(devices, given, selector.substr(name_prefix.size()));
  }
  if (selector.empty()) throw_not_found(devices, given, "the selector is empty");
  const bool digit = std::isdigit(static_cast<unsigned char>(selector.front())) != 0;
  return digit ? by_position(devices, given, selector) : by_word(devices, given, selector);
}

// Where a selector's /units begins, or npos.
std::size_t units_position(std::span<const DeviceInfo> devices, std::string_view selector) {
  const std::size_t slash = selector.rfind('/');
  if (slash == std::string_view::npos || !selector.starts_with(name_prefix)) return slash;
  const std::string_view text = selector.substr(name_prefix.size());
  const bool number = parse_number(selector.substr(slash + 1)).has_value();
  const bool part_of_a_name = nth(devices, 0, [&](const DeviceInfo& info) {
                                return contains(info.name, text);
                              }).has_value();
  return number && !part_of_a_name ? slash : std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<DeviceInfo> infos_of_all() {
  std::vector<DeviceInfo> infos;
  for (const Device& device : Device::all()) infos.push_back(device.info());
  return infos;
}

Device found_device(const Selection& selection) {
  const Device device = Device::all()[selection.device];
  return selection.units == 0 ? device : sub_device(device, selection.units);
}

}  // namespace

std::string_view platform_alias(std::string_view platform) {
  const auto found = std::find_if(aliases.begin(), aliases.end(), [&](const Alias& alias) {
    return contains(platform, alias.platform);
  });
  return found == aliases.end() ? std::string_view() : found->name;
}

std::string sub_device_refusal(const DeviceInfo& info, int units) {
  if (units < 1) return "a sub-device has at least one compute unit";
  if (info.max_sub_devices < 2) {
    return join(info.selector, " (", info.name, ") cannot be divided into sub-devices");
  }
  if (units <= info.compute_units) return {};
  return join(info.selector, " has only ", info.compute_units, " compute units");
}

Selection select_one(std::span<const DeviceInfo> devices, std::string_view selector) {
  selector = trimmed(selector);
  const std::size_t slash = units_position(devices, selector);
  const std::optional<std::size_t> found = find(devices, selector, selector.substr(0, slash));
  if (!found) throw_not_found(devices, selector, "no such device");
  if (slash == std::string_view::npos) return {*found, 0};

  const std::optional<int> units = parse_number(selector.substr(slash + 1));
  if (!units) throw_not_found(devices, selector, "what follows '/' must be a number");
  const DeviceInfo& info = devices[*found];
  const std::string refusal = sub_device_refusal(info, *units);
  if (!refusal.empty()) throw_not_found(devices, selector, refusal);
  return {*found, *units == info.compute_units ? 0 : *units};
}

std::vector<Selection> select_several(std::span<const DeviceInfo> devices,
                                      std::string_view selectors) {
  std::vector<Selection> selected;
  if (trimmed(selectors) == "all") {
    for (std::size_t i = 0; i < devices.size(); ++i) selected.push_back({i, 0});
    if (selected.empty()) throw_not_found(devices, selectors, "no such device");
    return selected;
  }
  while (true) {
    const std::size_t comma = selectors.find(',');
    const Selection one = select_one(devices, selectors.substr(0, comma));
    if (std::find(selected.begin(), selected.end(), one) == selected.end()) selected.push_back(one);
    if (comma == std::string_view::npos) return selected;
    selectors.remove_prefix(comma + 1);
  }
}

Device Device::select(std::string_view selector) {
  return found_device(select_one(infos_of_all(), selector));
}

std::vector<Device> Device::select_list(std::string_view selectors) {
  std::vector<Device> selected;
  for (const Selection& one : select_several(infos_of_all(), selectors)) {
    selected.push_back(found_device(one));
  }
  return selected;
}

}  // namespace clmx
