#include "comparison_record.hpp"

#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "strict_json.hpp"

namespace clmx {
namespace {

using Json = nlohmann::json;

RecordedDevice parse_device(const Json& json) {
  RecordedDevice device;
  device.id = json.at("id").get<std::string>();
  device.selector = json.at("selector").get<std::string>();
  device.name = json.at("name").get<std::string>();
  device.platform = json.at("platform").get<std::string>();
  device.driver = json.at("driver").get<std::string>();
  device.ops = json.at("ops").get<decltype(device.ops)>();
  return device;
}

Json described(const RecordedDevice& device) {
  return {{"id", device.id},         {"selector", device.selector},
          {"name", device.name},     {"platform", device.platform},
          {"driver", device.driver}, {"ops", device.ops}};
}

}  // namespace

ComparisonRecord record_of(std::span<const Device> devices,
                           const std::vector<ComparedDevice>& results, const std::string& version,
                           std::uint64_t seed) {
  ComparisonRecord record{version, seed, {}};
  for (std::size_t i = 0; i < results.size(); ++i) {
    const DeviceInfo& info = devices[i].info();
    RecordedDevice recorded{info.id,       info.selector,       info.name,
                            info.platform, info.driver_version, {}};
    for (const ComparedCase& one : results[i].cases) {
      if (!one.may_differ && !one.digest.empty()) recorded.ops[one.op][one.name] = one.digest;
    }
    record.devices.push_back(std::move(recorded));
  }
  return record;
}

std::string to_json(const ComparisonRecord& record) {
  Json devices = Json::array();
  for (const RecordedDevice& device : record.devices) devices.push_back(described(device));
  const Json document{{"schema", 1},
                      {"record", "ops"},
                      {"clmx", record.version},
                      {"seed", record.seed},
                      {"devices", std::move(devices)}};
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

ComparisonRecord parse_record(std::string_view text, const std::string& file) {
  const Json json = parse_json(text, file);
  try {
    if (json.at("schema") != 1 || json.at("record") != "ops")
      throw FormatError(file, 0, "is not a record of `clmx compare --ops --record`");
    ComparisonRecord record{
        json.at("clmx").get<std::string>(), json.at("seed").get<std::uint64_t>(), {}};
    for (const Json& device : json.at("devices")) record.devices.push_back(parse_device(device));
    return record;
  } catch (const Json::exception& error) {
    throw FormatError(file, 0, error.what());
  }
}

RecordAgreement compare_records(const RecordedDevice& a, const RecordedDevice& b) {
  RecordAgreement agreement;
  for (const auto& [op, cases] : a.ops) {
    const auto others = b.ops.find(op);
    if (others == b.ops.end()) continue;
    for (const auto& [name, digest] : cases) {
      const auto other = others->second.find(name);
      if (other == others->second.end()) continue;
      ++agreement.common;
      if (other->second == digest) continue;
      if (agreement.different++ == 0) {
        agreement.op = op;
        agreement.name = name;
      }
    }
  }
  return agreement;
}

}  // namespace clmx
