#include "compare_baseline.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "exit_code.hpp"
#include "text_table.hpp"

namespace clmx::cli {
namespace {

MeasuredDevice parse_device(const Json& json) {
  MeasuredDevice device{
      json.at("id").get<std::string>(), json.at("selector").get<std::string>(), {}};
  for (const auto& [name, value] : json.at("measures").items())
    device.measures[name] = value.is_null() ? INFINITY : value.get<double>();
  return device;
}

const MeasuredDevice* same_device(const Measured& all, const MeasuredDevice& wanted) {
  for (const auto field : {&MeasuredDevice::id, &MeasuredDevice::selector}) {
    const auto found = std::ranges::find(all.devices, wanted.*field, field);
    if (found != all.devices.end()) return &*found;
  }
  return nullptr;
}

void add_worse(const MeasuredDevice& before, const MeasuredDevice& now, std::vector<Worse>& all) {
  for (const auto& [name, value] : before.measures) {
    const auto found = now.measures.find(name);
    if (found == now.measures.end()) {
      all.push_back({now.selector, name, value, 0, true});
    } else if (!(found->second <= value)) {  // NaN is worse than any number
      all.push_back({now.selector, name, value, found->second});
    }
  }
}

std::string in_words(const Worse& one) {
  return join(one.selector, ": ", one.name, ": ",
              one.gone ? std::string("is no longer measured") : short_number(one.now), ", was ",
              short_number(one.before));
}

}  // namespace

Measured read_baseline(const std::string& file) {
  const HostBytes text = map_file(file);
  const auto* const begin = reinterpret_cast<const char*>(text.bytes.data());
  const Json json = Json::parse(begin, begin + text.bytes.size(), nullptr, false);
  try {
    Measured result{json.at("of").get<std::string>(), {}};
    for (const Json& device : json.at("devices")) result.devices.push_back(parse_device(device));
    return result;
  } catch (const Json::exception&) {
    throw FormatError(file, 0,
                      "holds no measures: wanted is what `clmx compare` wrote with --record or "
                      "--json");
  }
}

Measured measured(const ComparisonRecord& record) {
  Measured result{record.of, {}};
  for (const RecordedDevice& device : record.devices)
    result.devices.push_back({device.id, device.selector, device.measures});
  return result;
}

std::vector<Worse> got_worse(const Measured& before, const Measured& now, const std::string& file) {
  if (before.of != now.of)
    throw UsageError(join("--baseline ", file, " is of ", before.of, ", this run of ", now.of));
  std::vector<Worse> all;
  bool common = false;
  for (const MeasuredDevice& device : now.devices) {
    const MeasuredDevice* const old = same_device(before, device);
    if (old == nullptr) continue;
    common = true;
    add_worse(*old, device, all);
  }
  if (!common) throw UsageError("--baseline " + file + " has none of the devices compared");
  return all;
}

void print_worse(const std::vector<Worse>& worse, const std::string& file) {
  if (worse.empty()) std::cout << "nothing is worse than in " << file << '\n';
  for (const Worse& one : worse) std::cout << "worse: " << in_words(one) << '\n';
}

Json described(const std::vector<Worse>& worse) {
  Json list = Json::array();
  for (const Worse& one : worse) {
    Json entry{{"selector", one.selector}, {"measure", one.name}, {"before", one.before}};
    entry["now"] = one.gone ? Json(nullptr) : Json(one.now);
    list.push_back(std::move(entry));
  }
  return list;
}

void check_worse(const std::vector<Worse>& worse, const std::string& file, Gate& gate) {
  if (worse.empty()) return;
  gate.refuse(join(worse.size(), " measures are worse than in ", file, ", first ",
                   in_words(worse.front())));
}

}  // namespace clmx::cli
