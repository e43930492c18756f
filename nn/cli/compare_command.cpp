#include <memory>

#include "clmx/devices/error.hpp"
#include "common_options.hpp"
#include "compare_options.hpp"
#include "compare_records.hpp"
#include "dtype_option.hpp"
#include "exit_code.hpp"

namespace clmx::cli {
namespace {

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
  const std::vector<const char*> of_ops{"--op", "--case", "--quick", "--full", "--seed"};
  const std::vector<const char*> of_models{"--text",  "--prompts", "--max-kl",
                                           "--dtype", "--modes",   "--dump"};
  const std::vector<const char*> of_both{"--record",     "--against",    "--baseline",
                                         "--junit",      "--html",       "--same-bits",
                                         "--max-budget", "--min-devices"};
  if (options.by_op) {
    refuse_mixed(parser, of_models, "--ops");
    refuse_mixed(parser, {"RECORDS"}, "--ops");
    return compare_devices(common, options);
  }
  refuse_mixed(parser, of_ops, "a model: it is for --ops");
  if (options.records.empty()) return compare_models(common, options);
  refuse_mixed(parser, of_models, "records");
  refuse_mixed(parser, of_both, "records");
  if (options.records.size() != 2) throw UsageError("compare wants two files that --record wrote");
  return compare_files(common, options.records);
}

void add_what(CLI::App& parser, CompareOptions& options) {
  parser.add_flag("--ops", options.by_op,
                  "Op by op, on the cases of the program, instead of the model");
  parser.add_option("--op", options.ops.op, "Only the cases of this op");
  parser.add_option("--case", options.ops.case_name, "Only this case");
  parser.add_flag("--quick", options.ops.quick, "A few small cases of each op");
  parser.add_flag("--full", options.ops.full, "The large and exhaustive cases too");
  parser.add_option("--seed", options.ops.seed, "Of the data");
  parser.add_option("--text", options.text,
                    "Compare the model on this text instead of the fixed prompts");
  parser.add_option("--prompts", options.prompts,
                    "The same on a file's prompts: one a line, or a JSON list of texts");
  add_dtype_option(parser, options.dtype);
  parser.add_option("--modes", options.modes,
                    "Also quantize the model to each of these: affine4,affine8g32,mxfp4,...");
  parser
      .add_option("RECORDS", options.records,
                  "Two files of --record: compare the devices they tell of")
      ->expected(0, 2);
}

void add_files(CLI::App& parser, CompareOptions& options) {
  parser.add_option("--record", options.record,
                    "Also write digests of all results, to compare with other machines");
  parser.add_option("--dump", options.dump,
                    "Also write the tensors of these parts of the model (model.layers.3.mlp, * "
                    "stands for any name) beside the record");
  parser.add_option("--against", options.against,
                    "Gate: the same bits as in this record; or compare with the logits of another "
                    "program in this .safetensors file");
  parser.add_option("--baseline", options.baseline,
                    "Show what is worse than in this record or JSON (with --strict a gate)");
  parser.add_option("--html", options.html, "Also write a page with charts, all in one file");
  parser.add_option("--junit", options.junit, "Also write JUnit's XML");
}

void add_gates(CLI::App& parser, CompareOptions& options) {
  parser
      .add_option("--max-kl", options.max_kl,
                  "Gate: the largest KL divergence from float64, in nats")
      ->check(CLI::PositiveNumber);
  parser
      .add_option("--max-budget", options.max_budget,
                  "Gate: the largest error as a share of its budget (1)")
      ->check(CLI::PositiveNumber);
  parser.add_flag("--same-bits", options.same_bits, "Gate: the same bits on every device");
  parser.add_option("--min-devices", options.min_devices, "Gate: devices to be compared")
      ->check(CLI::PositiveNumber);
}

}  // namespace

Command compare_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser =
      app.add_subcommand("compare", "Measure each device against float64 and the others");
  const auto options = std::make_shared<CompareOptions>();
  add_what(*parser, *options);
  add_files(*parser, *options);
  add_gates(*parser, *options);
  return {parser, [&common, options, parser] { return compare(common, *options, *parser); }};
}

}  // namespace clmx::cli
