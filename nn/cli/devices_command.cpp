#include <iostream>
#include <memory>

#include "clmx/devices/error.hpp"
#include "clmx/host/self_check.hpp"
#include "common_options.hpp"
#include "device_report.hpp"
#include "device_speed.hpp"
#include "exit_code.hpp"
#include "json_output.hpp"

namespace clmx::cli {
namespace {

struct DevicesOptions {
  bool check = false, bench = false, numerics = false;
  double limit_s = SelfCheckOptions{}.limit_s;
};

void measure(DeviceReport& report, const DevicesOptions& options) {
  const DeviceInfo& info = report.device.info();
  if (options.bench) {
    report.check.speed = measure_speed(report.device, 1.0);
    report.benched = true;
    store_self_check(info, report.check);
  }
  if (options.numerics) report.numerics = measure_numerics(report.device);
}

DeviceReport reported(const Device& device, const DevicesOptions& options, bool quiet) {
  DeviceReport report{.device = device,
                      .check = stored_self_check(device.info()).value_or(SelfCheck{}),
                      .numerics = {},
                      .trouble = {}};
  if (!quiet && (options.check || options.bench || options.numerics)) {
    std::cerr << "trying " << device.info().selector << "  " << device.info().name << '\n';
  }
  if (options.check) {
    report.check = run_self_check(device, {.full = true, .limit_s = options.limit_s});
  }
  const SelfCheckStatus status = report.check.status;
  if (status == SelfCheckStatus::crashed || status == SelfCheckStatus::hung) return report;
  try {
    measure(report, options);
  } catch (const Error& error) {
    report.trouble = error.what();
  }
  return report;
}

void print_document(const std::vector<DeviceReport>& reports) {
  Json document = new_document();
  document["devices"] = Json::array();
  for (const DeviceReport& report : reports) document["devices"].push_back(described(report));
  document["problems"] = described(Device::problems());
  document["faster_than_default"] = faster_than_default(reports);
  print(document);
}

void print_tables(const std::vector<DeviceReport>& reports, const DevicesOptions& options) {
  print_devices(reports);
  if (options.bench) print_speeds(reports);
  for (const DeviceReport& report : reports) {
    if (report.numerics) print_numerics(report.device.info().selector, *report.numerics);
  }
}

/// What is wrong, to stderr. False where --strict makes it an error.
bool say_problems(const CommonOptions& common, const std::vector<DeviceReport>& reports,
                  const DevicesOptions& options) {
  bool good = true;
  for (const DeviceProblem& problem : Device::problems()) {
    if (!common.quiet)
      std::cerr << "passed over: " << problem.where << ": " << problem.reason << '\n';
  }
  for (const DeviceReport& report : reports) {
    const std::string& selector = report.device.info().selector;
    if (report.check.is_bad()) {
      std::cerr << "passed over: " << selector << ": it " << describe(report.check) << '\n';
      good = false;
    }
    if (!report.trouble.empty()) std::cerr << selector << ": " << report.trouble << '\n';
  }
  const std::string faster = options.bench ? faster_than_default(reports) : std::string();
  if (!common.quiet && !faster.empty()) std::cerr << faster << '\n';
  return good;
}

int list_devices(const CommonOptions& common, const DevicesOptions& options) {
  std::vector<DeviceReport> reports;
  for (const Device& device : common.listed_devices()) {
    reports.push_back(reported(device, options, common.quiet));
  }
  if (common.json) print_document(reports);
  if (!common.json && !reports.empty()) print_tables(reports, options);
  const bool good = say_problems(common, reports, options);
  if (reports.empty()) std::cerr << "clmx: no OpenCL device was found\n";
  if (reports.empty() || (!good && common.is_strict())) return static_cast<int>(ExitCode::device);
  return 0;
}

}  // namespace

Command devices_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser = app.add_subcommand("devices", "List, check and measure the OpenCL devices");
  const auto options = std::make_shared<DevicesOptions>();
  parser->add_flag("--check", options->check, "Run the whole self-check, also where it is stored");
  parser->add_flag("--bench", options->bench, "Measure reading and launching, a second each");
  parser->add_flag("--numerics", options->numerics, "Measure how each device computes");
  parser->add_option("--limit", options->limit_s, "Seconds without progress until a check is ended")
      ->check(CLI::Range(0.1, 86400.0));
  return {parser, [&common, options] { return list_devices(common, *options); }};
}

}  // namespace clmx::cli
