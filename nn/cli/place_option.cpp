#include "place_option.hpp"

#include <algorithm>
#include <iostream>

#include "clmx/devices/error.hpp"
#include "clmx/nn/auto_placement.hpp"
#include "device_speed.hpp"
#include "exit_code.hpp"

namespace clmx::cli {
namespace {

PlacementDevice measured(const Device& device) {
  const DeviceInfo& info = device.info();
  const DeviceSpeed speed = stored_or_measured_speed(device);
  return {
      .where = device,
      .name = info.selector,
      .bytes_per_s = speed.stream_bytes_per_s,
      .memory_bytes = info.global_bytes - std::min(info.global_bytes, device.memory().active_bytes),
      .max_allocation_bytes = info.max_allocation_bytes};
}

std::string selectors_of(const std::vector<Device>& devices) {
  std::string names;
  for (const Device& device : devices) names += (names.empty() ? "" : "+") + device.info().selector;
  return names;
}

}  // namespace

void add_place_options(CLI::App& parser, PlaceOptions& options) {
  parser.add_option("--place", options.place,
                    "Run parts of the model on other devices: '0-14=pocl,15-29=intel,head=pocl', "
                    "'model.layers.*.mlp=gpu', 'head=pocl+intel' (rows shared out), or 'auto'");
  parser.add_flag("--explain", options.explain,
                  "Say on stderr which op runs where and what moves between devices");
}

PlaceRequest::PlaceRequest(const PlaceOptions& options, const CommonOptions& common,
                           std::int64_t layers)
    : text_(options.place) {
  if (!given()) return;
  if (text_ == "auto") {
    devices_ = common.devices(CommonOptions::Without::all);
    if (devices_.empty()) throw DeviceNotFound("no OpenCL device was found");
    return;
  }
  const std::vector<PlacementText> entries = parse_placement(text_, layers);
  devices_ = common.devices(CommonOptions::Without::default_device);
  if (devices_.size() != 1) {
    throw UsageError("--place names the devices: give -d at most one, for what it does not name");
  }
  placement_ = select_devices(entries);
}

void PlaceRequest::apply(LanguageModel& model, std::int64_t positions, bool quiet) const {
  if (!given()) return;
  if (text_ != "auto") return model.place(placement_);
  std::vector<PlacementDevice> devices;
  for (const Device& device : devices_) devices.push_back(measured(device));
  model.place(place_by_speed(model.placement_units(positions), devices));
  if (quiet) return;
  for (const PlacedParts& parts : placed_parts(model, device())) {
    std::cerr << line_of(parts) << '\n';
  }
}

std::vector<PlacedParts> placed_parts(const LanguageModel& model, const Device& otherwise) {
  std::vector<PlacedParts> found;
  for (const std::string& part : model.parts()) {
    std::vector<Device> devices;
    if (const Placement::Entry* entry = model.placement().find(part)) {
      for (const RowShare& share : entry->where) devices.push_back(share.where.resolve().device());
    } else {
      devices.push_back(otherwise);
    }
    if (!found.empty() && found.back().devices == devices) {
      found.back().last = part;
    } else {
      found.push_back({part, part, std::move(devices)});
    }
  }
  return found;
}

std::vector<Device> devices_of(const std::vector<PlacedParts>& parts) {
  std::vector<Device> all;
  for (const PlacedParts& each : parts) {
    for (const Device& device : each.devices) {
      if (std::ranges::find(all, device) == all.end()) all.push_back(device);
    }
  }
  return all;
}

std::string line_of(const PlacedParts& parts) {
  const std::string range = parts.first == parts.last ? "" : " to " + parts.last;
  return parts.first + range + ": " + selectors_of(parts.devices);
}

Json described(const std::vector<PlacedParts>& parts) {
  Json list = Json::array();
  for (const PlacedParts& each : parts) {
    Json devices = Json::array();
    for (const Device& device : each.devices) devices.push_back(device.info().selector);
    list.push_back({{"first", each.first}, {"last", each.last}, {"devices", std::move(devices)}});
  }
  return list;
}

}  // namespace clmx::cli
