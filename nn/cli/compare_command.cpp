#include <iostream>
#include <memory>

#include "clmx/devices/error.hpp"
#include "clmx/devices/kernel.hpp"
#include "common_options.hpp"
#include "compare_html.hpp"
#include "compare_models.hpp"
#include "compare_records.hpp"
#include "compare_report.hpp"
#include "dtype_option.hpp"
#include "exit_code.hpp"
#include "progress_bar.hpp"
#include "report_file.hpp"

namespace clmx::cli {
namespace {

struct CompareOptions {
  CompareOpsOptions ops;
  CompareModelOptions model;
  std::string junit, html, record, against;
  std::vector<std::string> records;
  double max_budget = 1;
  std::size_t min_devices = 1;
  bool same_bits = false;
  bool by_op = false;
};

/// Says why on stderr.
bool pass_gates(const std::vector<ComparedDevice>& devices, const CompareOptions& options) {
  bool passed = true;
  const auto refuse = [&](const std::string& why) {
    std::cerr << "clmx: gate: " << why << '\n';
    passed = false;
  };
  if (devices.size() < options.min_devices) {
    refuse(join(devices.size(), " devices were compared, ", options.min_devices, " are wanted"));
  }
  for (const ComparedDevice& device : devices) {
    double worst = 0;
    for (const ComparedCase& one : device.cases) worst = std::max(worst, one.error.worst());
    if (const ComparedCase* const one = first_wrong(device)) {
      refuse(join(device.selector, ": ", one->op, " is wrong"));
    } else if (worst > options.max_budget) {
      refuse(join(device.selector, ": an error of ", worst, " of its budget"));
    }
    const ComparedCase* const other = first_difference(device);
    if (options.same_bits && other != nullptr)
      refuse(join(device.selector, ": ", other->op, " has other bits than ", other->differs));
  }
  return passed;
}

/// Results were compared that no kernel made.
bool no_kernel_ran(const std::vector<ComparedDevice>& devices) {
  if (build_stats().launches > 0) return false;
  std::cerr << "clmx: nothing was compared: no kernel ran on "
            << (devices.empty() ? "any device" : devices.front().selector) << '\n';
  return true;
}

std::vector<ComparedDevice> compared(std::span<const Device> devices, CompareOpsOptions options,
                                     bool shown) {
  ProgressBar bar("comparing", shown);
  options.progress = [&](std::size_t done, std::size_t total, const std::string& /*name*/) {
    bar.show(done, total);
  };
  return compare_ops(devices, options);
}

/// With the record of other machines; empty without one.
std::vector<Agreement> with_others(const ComparisonRecord& own,
                                   const std::optional<NamedRecord>& others) {
  if (!others) return {};
  return agreements({"this machine", own}, *others);
}

/// Nothing for a device that cannot be measured.
NumericsOfDevices numerics_of(std::span<const Device> devices) {
  NumericsOfDevices all;
  for (const Device& device : devices) {
    try {
      all.emplace_back(measure_numerics(device));
    } catch (const Error&) {
      all.emplace_back();
    }
  }
  return all;
}

void report(const std::vector<ComparedDevice>& results, const std::vector<Agreement>& others,
            const CompareOptions& options, bool json) {
  if (!options.junit.empty())
    write_report(options.junit, to_junit(as_verified(results, options.ops)));
  if (!json) {
    print_comparison(results, options.ops);
    return print_agreements(others);
  }
  Json document = new_document();
  document["devices"] = described(results, options.ops);
  document["agreements"] = described(others);
  print(document);
}

int compare_devices(const CommonOptions& common, const CompareOptions& options) {
  std::optional<NamedRecord> recorded;  // first, so that an odd file ends it at once
  if (!options.against.empty()) recorded = {options.against, read_record(options.against)};
  const std::vector<Device> devices = common.devices_to_compare();
  const auto results = compared(devices, options.ops, !common.quiet);
  const ComparisonRecord own = record_of(devices, results, CLMX_VERSION, options.ops.seed);
  if (!options.record.empty()) write_report(options.record, to_json(own));
  if (!options.html.empty())
    write_report(options.html, to_html(results, options.ops, numerics_of(devices)));
  const std::vector<Agreement> others = with_others(own, recorded);
  report(results, others, options, common.json);
  const bool passed = pass_gates(results, options) && all_agree(others) && !no_kernel_ran(results);
  return static_cast<int>(passed ? ExitCode::ok : ExitCode::gate);
}

/// Two files; no device is touched.
int compare_files(const CommonOptions& common, const std::vector<std::string>& files) {
  const auto all = agreements({files[0], read_record(files[0])}, {files[1], read_record(files[1])});
  if (common.json) {
    Json document = new_document();
    document["agreements"] = described(all);
    print(document);
  } else {
    print_agreements(all);
  }
  return static_cast<int>(all_agree(all) ? ExitCode::ok : ExitCode::gate);
}

/// Options of one kind of comparison that were given with another.
void refuse_mixed(const CLI::App& parser, const std::vector<const char*>& others,
                  const std::string& what) {
  for (const char* const option : others) {
    if (parser.count(option) > 0) throw UsageError(join(option, " does not go with ", what));
  }
}

int compare(const CommonOptions& common, const CompareOptions& options, const CLI::App& parser) {
  const std::vector<const char*> of_ops{"--op",   "--case",      "--quick",      "--full",
                                        "--seed", "--record",    "--against",    "--junit",
                                        "--html", "--same-bits", "--max-budget", "--min-devices"};
  const std::vector<const char*> of_models{"--text", "--max-kl", "--dtype"};
  if (options.by_op) {
    refuse_mixed(parser, of_models, "--ops");
    refuse_mixed(parser, {"RECORDS"}, "--ops");
    return compare_devices(common, options);
  }
  refuse_mixed(parser, of_ops, "a model: it is for --ops");
  if (options.records.empty()) return compare_models(common, options.model);
  refuse_mixed(parser, of_models, "records");
  if (options.records.size() != 2) throw UsageError("compare wants two files that --record wrote");
  return compare_files(common, options.records);
}

}  // namespace

Command compare_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser =
      app.add_subcommand("compare", "Measure each device against float64 and the others");
  const auto options = std::make_shared<CompareOptions>();
  parser->add_flag("--ops", options->by_op,
                   "Op by op, on the cases of the program, instead of the model");
  parser->add_option("--op", options->ops.op, "Only the cases of this op");
  parser->add_option("--case", options->ops.case_name, "Only this case");
  parser->add_flag("--quick", options->ops.quick, "A few small cases of each op");
  parser->add_flag("--full", options->ops.full, "The large and exhaustive cases too");
  parser->add_option("--seed", options->ops.seed, "Of the data");
  parser
      ->add_option("RECORDS", options->records,
                   "Two files of --record: compare the devices they tell of")
      ->expected(0, 2);
  parser->add_option("--record", options->record,
                     "Also write digests of all results, to compare with other machines");
  parser->add_option("--against", options->against, "Gate: the same bits as in this record");
  parser->add_option("--html", options->html, "Also write a page with charts, all in one file");
  parser->add_option("--junit", options->junit, "Also write JUnit's XML");
  parser
      ->add_option("--max-budget", options->max_budget,
                   "Gate: the largest error as a share of its budget (1)")
      ->check(CLI::PositiveNumber);
  parser->add_flag("--same-bits", options->same_bits, "Gate: the same bits on every device");
  parser->add_option("--min-devices", options->min_devices, "Gate: devices to be compared")
      ->check(CLI::PositiveNumber);
  parser->add_option("--text", options->model.text,
                     "Compare the model on this text instead of the fixed prompts");
  parser
      ->add_option("--max-kl", options->model.max_kl,
                   "Gate: the largest KL divergence from float64, in nats")
      ->check(CLI::PositiveNumber);
  add_dtype_option(*parser, options->model.dtype);
  return {parser, [&common, options, parser] { return compare(common, *options, *parser); }};
}

}  // namespace clmx::cli
