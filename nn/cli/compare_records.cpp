#include "compare_records.hpp"

#include <algorithm>
#include <iostream>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "exit_code.hpp"

namespace clmx::cli {

namespace {

void check_comparable(const NamedRecord& a, const NamedRecord& b) {
  const bool of_models = a.record.kind == RecordKind::model;
  if (a.record.kind != b.record.kind || (of_models && a.record.of != b.record.of)) {
    throw UsageError(join(a.name, " is of ", of_models ? a.record.of : "ops", ", ", b.name, " of ",
                          b.record.kind == RecordKind::model ? b.record.of : "ops"));
  }
  if (a.record.seed != b.record.seed) {
    throw UsageError(join(a.name, " was made with --seed ", a.record.seed, ", ", b.name,
                          " with --seed ", b.record.seed));
  }
}

}  // namespace

ComparisonRecord read_record(const std::string& file) {
  const HostBytes text = map_file(file);
  return parse_record({reinterpret_cast<const char*>(text.bytes.data()), text.bytes.size()}, file);
}

std::vector<Agreement> agreements(const NamedRecord& a, const NamedRecord& b) {
  check_comparable(a, b);
  std::vector<Agreement> all;
  for (const RecordedDevice& one : a.record.devices) {
    for (const RecordedDevice& other : b.record.devices) {
      all.push_back({a.name + ' ' + one.selector, b.name + ' ' + other.selector,
                     compare_records(one, other)});
      if (all.back().result.common == 0)
        throw UsageError(all.back().of + " and " + all.back().with + " have no result in common");
    }
  }
  return all;
}

bool all_agree(const std::vector<Agreement>& agreements) {
  return std::ranges::all_of(agreements,
                             [](const Agreement& each) { return each.result.different == 0; });
}

void print_agreements(const std::vector<Agreement>& agreements) {
  for (const auto& [of, with, result] : agreements) {
    std::cout << of << " and " << with << ": ";
    if (result.different == 0) {
      std::cout << "the same bits in all " << result.common << " results\n";
    } else {
      std::cout << "other bits in " << result.different << " of " << result.common
                << " results; first op: " << result.op << ": " << result.name << '\n';
    }
  }
}

Json described(const std::vector<Agreement>& agreements) {
  Json list = Json::array();
  for (const auto& [of, with, result] : agreements) {
    Json entry{
        {"of", of}, {"with", with}, {"common", result.common}, {"different", result.different}};
    entry["first_op"] = result.different == 0 ? Json(nullptr) : Json(result.op);
    entry["first_case"] = result.different == 0 ? Json(nullptr) : Json(result.name);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace clmx::cli
