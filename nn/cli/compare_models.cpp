#include "compare_models.hpp"

#include <iostream>

#include "clmx/devices/error.hpp"
#include "compare_model.hpp"
#include "dtype_option.hpp"
#include "exit_code.hpp"
#include "fingerprint.hpp"
#include "json_output.hpp"
#include "progress_bar.hpp"
#include "prompt.hpp"
#include "text_table.hpp"

namespace clmx::cli {
namespace {

struct ModelOnDevice {
  Device device;
  ComparedModel result;
};

using Prompts = std::vector<std::vector<std::int32_t>>;

Prompts prompts_of(const ModelFile& file, const CompareModelOptions& options) {
  const Tokenizer tokenizer = file.tokenizer();
  Prompts prompts;
  if (options.text) {
    prompts.push_back(raw_tokens(tokenizer, *options.text));
  } else {
    for (const char* text : fixed_prompts()) prompts.push_back(raw_tokens(tokenizer, text));
  }
  for (const auto& tokens : prompts) {
    if (tokens.empty()) throw UsageError("compare wants a text of at least one token");
  }
  return prompts;
}

std::vector<ModelOnDevice> compared(const CommonOptions& common, const ModelFile& file,
                                    const CompareModelOptions& options) {
  const Prompts prompts = prompts_of(file, options);
  const std::vector<Device> devices = common.devices_to_compare();
  const auto model = file.load({.dtype = dtype_from_string(options.dtype)});
  std::vector<ModelOnDevice> all;
  ProgressBar bar("comparing", !common.quiet);
  for (const Device& device : devices) {
    const std::size_t before = all.size() * prompts.size();
    bar.show(before, devices.size() * prompts.size());
    const auto progress = [&](std::size_t done) {
      bar.show(before + done, devices.size() * prompts.size());
    };
    all.push_back({device, compare_model(*model, prompts, device, progress)});
  }
  return all;
}

double worst_of(const ComparedModel& model) {
  double worst = 0;
  for (const ComparedPart& part : model.parts) worst = std::max(worst, part.worst);
  return worst;
}

void print_parts(const ModelOnDevice& one) {
  std::vector<Row> rows{{one.device.info().selector, "WORST OP", "SO FAR"}};
  for (const ComparedPart& part : one.result.parts)
    rows.push_back({part.path, short_number(part.worst), short_number(part.accumulated)});
  print_table(rows);
}

void print_findings(const ModelOnDevice& one) {
  const std::string& selector = one.device.info().selector;
  if (const auto& wrong = one.result.first_wrong) {
    std::cout << selector << ": first wrong op: " << wrong->part << ": " << wrong->op << " of "
              << wrong->shape << ": an error of " << wrong->worst << " of its budget\n";
  }
  if (const auto& other = one.result.first_difference) {
    std::cout << selector << ": first other token: prompt " << other->prompt + 1 << ", position "
              << other->position << ": " << other->got << " instead of " << other->wanted
              << ", margin " << other->margin << '\n';
  }
}

void print_lines(const std::vector<ModelOnDevice>& all, bool parts) {
  std::vector<Row> rows{{"DEVICE", "POSITIONS", "KL MEAN", "KL MAX", "TOP-1", "PERPLEXITY",
                         "WORST OP", "AT THE END"}};
  for (const auto& [device, result] : all) {
    rows.push_back({device.info().selector, std::to_string(result.positions),
                    short_number(result.kl_mean()), short_number(result.kl_max),
                    join(result.same_top1, '/', result.positions),
                    short_number(100 * result.perplexity_change()) + " %",
                    short_number(worst_of(result)), short_number(result.parts.back().accumulated)});
  }
  print_table(rows);
  for (const ModelOnDevice& one : all) print_findings(one);
  if (!parts) return;
  for (const ModelOnDevice& one : all) print_parts(one);
}

Json described(const ModelOnDevice& one) {
  const ComparedModel& result = one.result;
  Json entry{
      {"id", one.device.info().id},
      {"selector", one.device.info().selector},
      {"positions", result.positions},
      {"kl_mean", result.kl_mean()},
      {"kl_max", result.kl_max},
      {"top1", static_cast<double>(result.same_top1) / static_cast<double>(result.positions)},
      {"perplexity_change", result.perplexity_change()}};
  entry["parts"] = Json::array();
  for (const ComparedPart& part : result.parts) {
    entry["parts"].push_back(
        {{"path", part.path}, {"worst_budget", part.worst}, {"accumulated", part.accumulated}});
  }
  entry["first_wrong"] = nullptr;
  if (const auto& wrong = result.first_wrong) {
    entry["first_wrong"] = {{"part", wrong->part},
                            {"op", wrong->op},
                            {"shape", wrong->shape},
                            {"worst_budget", wrong->worst}};
  }
  entry["first_difference"] = nullptr;
  if (const auto& other = result.first_difference) {
    entry["first_difference"] = {{"prompt", other->prompt},
                                 {"position", other->position},
                                 {"got", other->got},
                                 {"wanted", other->wanted},
                                 {"margin", other->margin}};
  }
  return entry;
}

bool pass_gates(const std::vector<ModelOnDevice>& all, double max_kl) {
  bool passed = true;
  for (const auto& [device, result] : all) {
    if (!result.first_wrong && (max_kl == 0 || result.kl_max <= max_kl)) continue;
    std::cerr << "clmx: gate: " << device.info().selector << ": "
              << (result.first_wrong ? join(result.first_wrong->op, " is wrong")
                                     : join("KL ", result.kl_max, " to float64"))
              << '\n';
    passed = false;
  }
  return passed;
}

}  // namespace

int compare_models(const CommonOptions& common, const CompareModelOptions& options) {
  const ModelFile file(common.model_path());
  const std::vector<ModelOnDevice> all = compared(common, file, options);
  if (common.json) {
    Json document = new_document();
    document["model"] = common.model_path().string();
    document["devices"] = Json::array();
    for (const ModelOnDevice& one : all) document["devices"].push_back(described(one));
    print(document);
  } else {
    print_lines(all, common.verbosity > 0);
  }
  return static_cast<int>(pass_gates(all, options.max_kl) ? ExitCode::ok : ExitCode::gate);
}

}  // namespace clmx::cli
