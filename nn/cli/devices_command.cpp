#include <iomanip>
#include <iostream>

#include "clmx/devices/error.hpp"
#include "common_options.hpp"
#include "exit_code.hpp"
#include "json_output.hpp"

namespace clmx::cli {
namespace {

Json described(const Device& device) {
  const DeviceInfo& info = device.info();
  return Json{
      {"id", info.id},
      {"selector", info.selector},
      {"index", std::to_string(info.platform_index) + '.' + std::to_string(info.device_index)},
      {"name", info.name},
      {"vendor", info.vendor},
      {"platform", info.platform},
      {"driver", info.driver_version},
      {"type", to_string(info.type)},
      {"class", to_string(info.device_class)},
      {"opencl", info.opencl_version},
      {"opencl_c", info.opencl_c_version},
      {"fp16", info.fp16},
      {"fp64", info.fp64},
      {"subgroups", info.subgroup_size},
      {"int_dot", info.int_dot},
      {"unified_memory", info.unified_memory},
      {"memory", info.global_bytes},
      {"max_allocation", info.max_allocation_bytes},
      {"local_bytes", info.local_bytes},
      {"max_work_group", info.max_work_group_size},
      {"compute_units", info.compute_units},
      {"max_sub_devices", info.max_sub_devices},
      {"pretends", info.pretends.empty() ? Json(nullptr) : Json(info.pretends)},
      {"self_check", {{"status", "not_run"}, {"passed", 0}, {"total", 0}}}};
}

std::string in_gibibytes(std::size_t bytes) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / (1U << 30U) << " GiB";
  return text.str();
}

using Row = std::vector<std::string>;

Row table_row(const DeviceInfo& info) {
  return {info.selector,
          std::to_string(info.platform_index) + '.' + std::to_string(info.device_index),
          info.id,
          join(to_string(info.device_class),
               info.pretends.empty() ? "" : " (pretends " + info.pretends + ')'),
          std::to_string(info.compute_units),
          in_gibibytes(info.global_bytes),
          info.platform,
          info.name};
}

void print_table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      std::cout << std::left << std::setw(static_cast<int>(widths[i]) + 2) << row[i];
    }
    std::cout << row.back() << '\n';
  }
}

int list_devices(const CommonOptions& common) {
  const std::vector<Device> devices = common.devices(CommonOptions::Without::all);
  if (common.json) {
    Json document = new_document();
    document["devices"] = Json::array();
    for (const Device& device : devices) document["devices"].push_back(described(device));
    document["problems"] = Json::array();
    for (const DeviceProblem& problem : Device::problems()) {
      document["problems"].push_back({{"where", problem.where}, {"reason", problem.reason}});
    }
    print(document);
  } else if (!devices.empty()) {
    std::vector<Row> rows = {
        {"SELECTOR", "INDEX", "ID", "CLASS", "UNITS", "MEMORY", "PLATFORM", "NAME"}};
    for (const Device& device : devices) rows.push_back(table_row(device.info()));
    print_table(rows);
  }
  if (!common.quiet) {
    for (const DeviceProblem& problem : Device::problems()) {
      std::cerr << "passed over: " << problem.where << ": " << problem.reason << '\n';
    }
  }
  if (!devices.empty()) return 0;
  std::cerr << "clmx: no OpenCL device was found\n";
  return static_cast<int>(ExitCode::device);
}

}  // namespace

Command devices_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser = app.add_subcommand("devices", "List the OpenCL devices");
  return {parser, [&common] { return list_devices(common); }};
}

}  // namespace clmx::cli
