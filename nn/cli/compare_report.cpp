#include "compare_report.hpp"

#include <algorithm>
#include <iostream>
#include <set>

#include "report_file.hpp"
#include "text_table.hpp"

namespace clmx::cli {
namespace {

const ComparedOp* find_op(const std::vector<ComparedOp>& ops, const std::string& name) {
  const auto found = std::ranges::find(ops, name, &ComparedOp::name);
  return found == ops.end() ? nullptr : &*found;
}

/// "0.72", with a mark when cases are wrong; nothing for an op that the device did not run.
std::string worst_cell(const ComparedOp* op) {
  if (op == nullptr) return "-";
  const std::string worst = short_number(op->error.worst());
  return op->wrong == 0 ? worst : worst + " WRONG";
}

using OpsOfDevices = std::vector<std::vector<ComparedOp>>;

std::set<std::string> names_of(const OpsOfDevices& all) {
  std::set<std::string> names;
  for (const auto& ops : all) {
    for (const ComparedOp& op : ops) names.insert(op.name);
  }
  return names;
}

std::string bits_cell(std::size_t devices, std::size_t others) {
  if (devices < 2) return "-";
  return others == 0 ? "same" : "other in " + std::to_string(others);
}

Row row_of(const std::string& name, const OpsOfDevices& all) {
  std::size_t cases = 0, others = 0, devices = 0;
  ErrorMeasure error;
  Row worst;
  for (const auto& ops : all) {
    const ComparedOp* const op = find_op(ops, name);
    worst.push_back(worst_cell(op));
    if (op == nullptr) continue;
    ++devices;
    cases = std::max(cases, op->cases);
    others += op->other_bits;
    error.add(op->error);
  }
  Row row{name, std::to_string(cases)};
  row.insert(row.end(), worst.begin(), worst.end());
  const bool sum = error.condition() > 0;
  row.insert(
      row.end(),
      {short_number(error.mean()), short_number(error.signed_mean()), short_number(error.nmse()),
       short_number(error.max_ulp()), sum ? short_number(error.condition()) : "-",
       sum ? short_number(error.worst_of_chain()) : "-", bits_cell(devices, others)});
  return row;
}

void print_wrong(const ComparedDevice& device, const CompareOpsOptions& options) {
  if (const ComparedCase* const one = first_wrong(device)) {
    std::cout << device.selector << ": first wrong op: " << one->op << ": " << one->name << ": "
              << one->failure << " (element " << one->index << ": got " << one->got << ", wanted "
              << one->wanted << ")\n  repeat: " << repeat_command(*one, device, options) << '\n';
  }
  if (const ComparedCase* const one = first_difference(device)) {
    std::cout << device.selector << ": first other bits: " << one->op << ": " << one->name
              << ": not those of " << one->differs << '\n';
  }
}

Json described(const ComparedOp& op) {
  const ErrorMeasure& error = op.error;
  return {{"op", op.name},
          {"cases", op.cases},
          {"wrong", op.wrong},
          {"other_bits", op.other_bits},
          {"elements", error.elements()},
          {"worst_budget", error.worst()},
          {"mean_error", error.mean()},
          {"signed_mean_error", error.signed_mean()},
          {"nmse", error.nmse()},
          {"nmse_f32", error.nmse(DType::f32)},
          {"nmse_f16", error.nmse(DType::f16)},
          {"nmse_bf16", error.nmse(DType::bf16)},
          {"max_ulp", error.max_ulp()},
          {"ulps", error.ulps()},
          {"condition", error.condition()},
          {"worst_of_chain", error.worst_of_chain()}};
}

Json described(const ComparedCase* one, const ComparedDevice& device,
               const CompareOpsOptions& options) {
  if (one == nullptr) return nullptr;
  return {{"op", one->op},
          {"case", one->name},
          {"what", one->failure},
          {"index", one->index},
          {"got", one->got},
          {"wanted", one->wanted},
          {"differs_from", one->differs},
          {"repeat", repeat_command(*one, device, options)}};
}

}  // namespace

std::vector<std::string> selectors_of(const std::vector<ComparedDevice>& devices) {
  std::vector<std::string> selectors;
  selectors.reserve(devices.size());
  for (const ComparedDevice& device : devices) selectors.push_back(device.selector);
  return selectors;
}

std::vector<ComparedOp> by_op(const ComparedDevice& device) {
  std::vector<ComparedOp> ops;  // cases come op by op
  for (const ComparedCase& one : device.cases) {
    if (ops.empty() || ops.back().name != one.op) ops.push_back({.name = one.op, .error = {}});
    ComparedOp& op = ops.back();
    ++op.cases;
    op.wrong += one.failure.empty() ? 0 : 1;
    op.other_bits += one.differs.empty() ? 0 : 1;
    op.error.add(one.error);
  }
  return ops;
}

const ComparedCase* first_wrong(const ComparedDevice& device) {
  const auto found = std::ranges::find_if(
      device.cases, [](const ComparedCase& one) { return !one.failure.empty(); });
  return found == device.cases.end() ? nullptr : &*found;
}

const ComparedCase* first_difference(const ComparedDevice& device) {
  const auto found = std::ranges::find_if(
      device.cases, [](const ComparedCase& one) { return !one.differs.empty(); });
  return found == device.cases.end() ? nullptr : &*found;
}

std::string repeat_command(const ComparedCase& one, const ComparedDevice& device,
                           const CompareOpsOptions& options) {
  std::string command = "clmx compare --ops --case " + quoted(one.name);
  if (options.seed != CompareOpsOptions{}.seed)
    command += " --seed " + std::to_string(options.seed);
  const bool two = !one.differs.empty();
  return command + " -d " + quoted(two ? one.differs + "," + device.selector : device.selector);
}

void print_comparison(const std::vector<ComparedDevice>& devices,
                      const CompareOpsOptions& options) {
  OpsOfDevices all;
  Row head{"OP", "CASES"};
  for (const ComparedDevice& device : devices) {
    all.push_back(by_op(device));
    head.push_back(device.selector);
  }
  head.insert(head.end(), {"MEAN", "SIGNED", "NMSE f32", "f16", "bf16", "MAX ULP", "CONDITION",
                           "CHAIN", "BITS"});
  std::vector<Row> rows{head};
  for (const std::string& name : names_of(all)) rows.push_back(row_of(name, all));
  std::cout << "worst error of each device as a share of its budget (1 is the limit)\n";
  print_table(rows);
  for (const ComparedDevice& device : devices) print_wrong(device, options);
}

Json described(const std::vector<ComparedDevice>& devices, const CompareOpsOptions& options) {
  Json list = Json::array();
  for (const ComparedDevice& device : devices) {
    Json ops = Json::array();
    for (const ComparedOp& op : by_op(device)) ops.push_back(described(op));
    list.push_back({{"id", device.id},
                    {"selector", device.selector},
                    {"name", device.name},
                    {"cases", device.cases.size()},
                    {"ops", std::move(ops)},
                    {"first_wrong", described(first_wrong(device), device, options)},
                    {"first_other_bits", described(first_difference(device), device, options)}});
  }
  return list;
}

std::vector<DeviceResult> as_verified(const std::vector<ComparedDevice>& devices,
                                      const CompareOpsOptions& options) {
  std::vector<DeviceResult> results;
  for (const ComparedDevice& device : devices) {
    DeviceResult result{device.id, device.selector, {}};
    for (const ComparedCase& one : device.cases) {
      if (result.families.empty() || result.families.back().name != one.op)
        result.families.push_back({one.op, {}});
      const bool good = one.failure.empty() && one.differs.empty();
      result.families.back().cases.push_back(
          {.name = one.name,
           .outcome = !good                      ? Outcome::failed
                      : one.error.max_ulp() == 0 ? Outcome::bit_equal
                                                 : Outcome::within,
           .what = one.failure.empty() ? "other bits than " + one.differs : one.failure,
           .worst = one.error.worst(),
           .index = one.index,
           .got = one.got,
           .wanted = one.wanted,
           .arguments = repeat_command(one, device, options)});
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace clmx::cli
