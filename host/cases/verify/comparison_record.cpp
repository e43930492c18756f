#include "comparison_record.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "strict_json.hpp"

namespace clmx {
namespace {

using Json = nlohmann::json;
using Cases = std::map<std::string, std::map<std::string, std::string>>;  // by op and name

RecordedDevice facts_of(const Device& device) {
  const DeviceInfo& info = device.info();
  return {info.id, info.selector, info.name, info.platform, info.driver_version, {}, {}};
}

std::vector<RecordedResult> parse_results(const Json& device, RecordKind kind) {
  std::vector<RecordedResult> results;
  if (kind == RecordKind::model) {
    for (const Json& step : device.at("steps"))
      results.push_back({step.at(0).get<std::string>(), step.at(1).get<std::string>(),
                         step.at(2).get<std::string>()});
    return results;
  }
  for (const auto& [op, cases] : device.at("ops").get<Cases>()) {
    for (const auto& [name, digest] : cases) results.push_back({op, name, digest});
  }
  return results;
}

Measures parse_measures(const Json& device) {
  Measures measures;
  if (!device.contains("measures")) return measures;
  for (const auto& [name, value] : device.at("measures").items())
    measures[name] = value.is_null() ? INFINITY : value.get<double>();  // JSON has no infinity
  return measures;
}

RecordedDevice parse_device(const Json& json, RecordKind kind) {
  RecordedDevice device;
  device.id = json.at("id").get<std::string>();
  device.selector = json.at("selector").get<std::string>();
  device.name = json.at("name").get<std::string>();
  device.platform = json.at("platform").get<std::string>();
  device.driver = json.at("driver").get<std::string>();
  device.results = parse_results(json, kind);
  device.measures = parse_measures(json);
  return device;
}

Json described(const RecordedDevice& device, RecordKind kind) {
  Json entry{{"id", device.id},         {"selector", device.selector},
             {"name", device.name},     {"platform", device.platform},
             {"driver", device.driver}, {"measures", device.measures}};
  if (kind == RecordKind::ops) {
    Cases cases;
    for (const auto& [op, name, digest] : device.results) cases[op][name] = digest;
    entry["ops"] = std::move(cases);
  } else {
    entry["steps"] = Json::array();
    for (const auto& [op, name, digest] : device.results)
      entry["steps"].push_back({op, name, digest});
  }
  return entry;
}

RecordKind parse_kind(const Json& json, const std::string& file) {
  const std::string kind = json.at("record").get<std::string>();
  if (json.at("schema") != 1 || (kind != "ops" && kind != "model"))
    throw FormatError(file, 0, "is not a record of `clmx compare --record`");
  return kind == "ops" ? RecordKind::ops : RecordKind::model;
}

}  // namespace

RecordedDevice recorded(const Device& device, const ComparedDevice& result) {
  RecordedDevice entry = facts_of(device);
  for (const ComparedCase& one : result.cases) {
    if (!one.may_differ && !one.digest.empty())
      entry.results.push_back({one.op, one.name, one.digest});
  }
  entry.measures = measures_of(result);
  return entry;
}

RecordedDevice recorded(const Device& device, const ComparedModel& result) {
  RecordedDevice entry = facts_of(device);
  for (const auto& [op, name, digest] : result.steps) entry.results.push_back({op, name, digest});
  entry.measures = measures_of(result);
  return entry;
}

std::string to_json(const ComparisonRecord& record) {
  Json devices = Json::array();
  for (const RecordedDevice& device : record.devices)
    devices.push_back(described(device, record.kind));
  const Json document{{"schema", 1},
                      {"record", record.kind == RecordKind::ops ? "ops" : "model"},
                      {"clmx", record.version},
                      {"seed", record.seed},
                      {"of", record.of},
                      {"devices", std::move(devices)}};
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

ComparisonRecord parse_record(std::string_view text, const std::string& file) {
  const Json json = parse_json(text, file);
  try {
    ComparisonRecord record;
    record.kind = parse_kind(json, file);
    record.version = json.at("clmx").get<std::string>();
    record.seed = json.at("seed").get<std::uint64_t>();
    record.of = json.value("of", "");
    for (const Json& device : json.at("devices"))
      record.devices.push_back(parse_device(device, record.kind));
    return record;
  } catch (const Json::exception& error) {
    throw FormatError(file, 0, error.what());
  }
}

RecordAgreement compare_records(const RecordedDevice& a, const RecordedDevice& b) {
  std::map<std::pair<std::string_view, std::string_view>, const RecordedResult*> others;
  for (const RecordedResult& result : b.results) others[{result.op, result.name}] = &result;
  RecordAgreement agreement;
  for (const RecordedResult& result : a.results) {
    const auto other = others.find({result.op, result.name});
    if (other == others.end()) continue;
    ++agreement.common;
    if (other->second->digest == result.digest) continue;
    if (agreement.different++ > 0) continue;
    agreement.op = result.op;
    agreement.name = result.name;
  }
  return agreement;
}

}  // namespace clmx
