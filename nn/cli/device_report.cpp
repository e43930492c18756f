#include "device_report.hpp"

#include <algorithm>
#include <iostream>

#include "clmx/devices/error.hpp"
#include "device_speed.hpp"
#include "text_table.hpp"

namespace clmx::cli {
namespace {

// SmolLM2-135M as Q4_1: 30 layers of 4-bit codes in groups of 32 with two f16 each, an 8-bit head;
// launches as counted in a run.
constexpr double layer_weights = 30.0 * (960 + 576 + 3072 + 1536) * 576;
constexpr double head_weights = 49152.0 * 576;
constexpr double default_model_bytes = layer_weights * 5 / 8 + head_weights * 34 / 32;
constexpr double default_model_launches = 334;

Json described(const SelfCheck& check) {
  return Json{{"status", to_string(check.status)},
              {"passed", check.passed},
              {"total", check.total},
              {"extent", check.full ? "full" : "quick"},
              {"failures", check.failures},
              {"features", check.features}};
}

Json described(const DeviceSpeed& speed) {
  if (speed.stream_bytes_per_s <= 0) return nullptr;
  return Json{{"stream_bytes_per_s", speed.stream_bytes_per_s},
              {"launch_s", speed.launch_s},
              {"default_model_tok_s", default_model_tokens_per_s(speed)}};
}

std::string index_of(const DeviceInfo& info) {
  return join(info.platform_index, '.', info.device_index);
}

std::optional<Device> default_if_any() {
  try {
    return default_device();
  } catch (const DeviceNotFound&) {
    return std::nullopt;  // all of them failed
  }
}

bool is_default(const Device& device) {
  return default_if_any() == device;
}

Row table_row(const DeviceReport& report) {
  const DeviceInfo& info = report.device.info();
  return {join(info.selector, is_default(report.device) ? " *" : ""),
          index_of(info),
          info.id,
          join(to_string(info.device_class),
               info.pretends.empty() ? "" : " (pretends " + info.pretends + ')'),
          in_short(report.check),
          std::to_string(info.compute_units),
          fixed(static_cast<double>(info.global_bytes) / (1U << 30U), 1) + " GiB",
          info.platform,
          info.name};
}

}  // namespace

double default_model_tokens_per_s(const DeviceSpeed& speed) {
  return estimated_tokens_per_s(speed, default_model_bytes, default_model_launches);
}

std::string in_short(const SelfCheck& check) {
  if (check.status == SelfCheckStatus::not_run) return "not run";
  const bool quick = check.status == SelfCheckStatus::ok && !check.full;
  return join(quick ? "quick" : to_string(check.status), ' ', check.passed, '/', check.total);
}

Json described(const DeviceReport& report) {
  const DeviceInfo& info = report.device.info();
  Json json{{"id", info.id},
            {"selector", info.selector},
            {"index", index_of(info)},
            {"default", is_default(report.device)},
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
            {"self_check", described(report.check)},
            {"speed", described(report.check.speed)}};
  if (report.numerics) json["numerics"] = described(*report.numerics);
  if (!report.trouble.empty()) json["trouble"] = report.trouble;
  return json;
}

void print_devices(const std::vector<DeviceReport>& reports) {
  std::vector<Row> rows{
      {"SELECTOR", "INDEX", "ID", "CLASS", "SELF-CHECK", "UNITS", "MEMORY", "PLATFORM", "NAME"}};
  for (const DeviceReport& report : reports) rows.push_back(table_row(report));
  print_table(rows);
}

void print_speeds(const std::vector<DeviceReport>& reports) {
  std::vector<Row> rows{{"SELECTOR", "READS", "LAUNCH", "DEFAULT MODEL (ESTIMATE)"}};
  for (const DeviceReport& report : reports) {
    const DeviceSpeed& speed = report.check.speed;
    if (speed.stream_bytes_per_s <= 0) continue;
    rows.push_back({report.device.info().selector,
                    fixed(speed.stream_bytes_per_s * 1e-9, 2) + " GB/s",
                    fixed(speed.launch_s * 1e6, 1) + " us",
                    fixed(default_model_tokens_per_s(speed), 0) + " tok/s"});
  }
  std::cout << '\n';
  print_table(rows);
}

std::string faster_than_default(const std::vector<DeviceReport>& reports) {
  const auto rate = [](const DeviceReport& r) { return default_model_tokens_per_s(r.check.speed); };
  const std::optional<Device> standard = default_if_any();
  const auto own = std::ranges::find(reports, standard, &DeviceReport::device);
  if (own == reports.end()) return {};
  const auto best = std::ranges::max_element(reports, {}, rate);
  constexpr double noise = 1.1;
  if (best == own || rate(*best) < noise * rate(*own)) return {};
  return join("the default device, ", own->device.info().selector, ", is slower than ",
              best->device.info().selector, ": ", fixed(rate(*own), 0), " against ",
              fixed(rate(*best), 0), " tok/s; choose it with -d or CLMX_DEVICE");
}

}  // namespace clmx::cli
