#include <algorithm>

#include "clmx/devices/error.hpp"
#include "compare_baseline.hpp"
#include "compare_html.hpp"
#include "compare_logits.hpp"
#include "compare_options.hpp"
#include "compare_records.hpp"
#include "compare_report.hpp"
#include "exit_code.hpp"
#include "progress_bar.hpp"
#include "report_file.hpp"

namespace clmx::cli {
namespace {

/// What was found, and against what it was held.
struct OpsComparison {
  std::vector<ComparedDevice> devices;
  std::vector<Agreement> agreements;
  std::optional<std::vector<Worse>> worse;
};

std::string of_what(const CompareOpsOptions& options) {
  std::string of = join("ops, ",
                        options.quick  ? "quick"
                        : options.full ? "full"
                                       : "default",
                        ", seed ", options.seed);
  if (options.op) of += ", op " + *options.op;
  if (options.case_name) of += ", case " + *options.case_name;
  return of;
}

std::vector<ComparedDevice> compared(std::span<const Device> devices, CompareOpsOptions options,
                                     bool shown) {
  ProgressBar bar("comparing", shown);
  options.progress = [&](std::size_t done, std::size_t total, const std::string& /*name*/) {
    bar.show(done, total);
  };
  return compare_ops(devices, options);
}

ComparisonRecord record_of(std::span<const Device> devices,
                           const std::vector<ComparedDevice>& results,
                           const CompareOpsOptions& options) {
  ComparisonRecord record{RecordKind::ops, CLMX_VERSION, options.seed, of_what(options), {}};
  for (std::size_t i = 0; i < results.size(); ++i)
    record.devices.push_back(recorded(devices[i], results[i]));
  return record;
}

void check_device(const ComparedDevice& device, const CompareOptions& options, Gate& gate) {
  double worst = 0;
  for (const ComparedCase& one : device.cases) worst = std::max(worst, one.error.worst());
  if (const ComparedCase* const one = first_wrong(device)) {
    gate.refuse(join(device.selector, ": ", one->op, " is wrong"));
  } else if (worst > options.max_budget) {
    gate.refuse(join(device.selector, ": an error of ", worst, " of its budget"));
  }
  const ComparedCase* const other = first_difference(device);
  if (options.same_bits && other != nullptr)
    gate.refuse(join(device.selector, ": ", other->op, " has other bits than ", other->differs));
}

void pass_gates(const OpsComparison& all, const CompareOptions& options, bool strict, Gate& gate) {
  gate.check_devices(all.devices.size(), options.min_devices);
  for (const ComparedDevice& device : all.devices) check_device(device, options, gate);
  for (const Agreement& each : all.agreements) {
    if (each.result.different > 0) gate.refuse(each.of + " has other bits than " + each.with);
  }
  if (all.worse && strict) check_worse(*all.worse, options.baseline, gate);
}

Json document_of(const OpsComparison& all, const ComparisonRecord& own,
                 const CompareOpsOptions& options) {
  Json document = new_document();
  document["of"] = own.of;
  document["devices"] = described(all.devices, options);
  for (std::size_t i = 0; i < own.devices.size(); ++i)
    document["devices"][i]["measures"] = own.devices[i].measures;
  document["agreements"] = described(all.agreements);
  document["worse"] = all.worse ? described(*all.worse) : Json(nullptr);
  return document;
}

void print(const OpsComparison& all, const CompareOptions& options) {
  print_comparison(all.devices, options.ops);
  print_agreements(all.agreements);
  if (all.worse) print_worse(*all.worse, options.baseline);
}

void write_junit(const OpsComparison& all, const CompareOptions& options, const Gate& gate) {
  std::vector<DeviceResult> results = as_verified(all.devices, options.ops);
  results.push_back(gate.as_verified());
  write_report(options.junit, to_junit(results));
}

}  // namespace

int compare_devices(const CommonOptions& common, const CompareOptions& options) {
  if (names_logits(options.against))
    throw UsageError("--ops --against wants a file of --record, not " + options.against);
  std::optional<NamedRecord> recorded;  // first, so that an odd file ends it at once
  std::optional<Measured> baseline;
  if (!options.against.empty()) recorded = {options.against, read_record(options.against)};
  if (!options.baseline.empty()) baseline = read_baseline(options.baseline);
  const std::vector<Device> devices = common.devices_to_compare();
  OpsComparison all{compared(devices, options.ops, !common.quiet), {}, {}};
  const ComparisonRecord own = record_of(devices, all.devices, options.ops);
  if (recorded) all.agreements = agreements({"this machine", own}, *recorded);
  if (baseline) all.worse = got_worse(*baseline, measured(own), options.baseline);
  if (!options.record.empty()) write_report(options.record, to_json(own));
  if (!options.html.empty())
    write_report(options.html, to_html(all.devices, options.ops, numerics_of(devices)));
  if (common.json) {
    print(document_of(all, own, options.ops));
  } else {
    print(all, options);
  }
  Gate gate;
  pass_gates(all, options, common.is_strict(), gate);
  if (!options.junit.empty()) write_junit(all, options, gate);
  return gate.exit_status();
}

}  // namespace clmx::cli
