#include "compare_models.hpp"

#include <algorithm>
#include <iostream>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/placement.hpp"
#include "compare_logits.hpp"
#include "compare_model_html.hpp"
#include "compare_model_report.hpp"
#include "compare_prompts.hpp"
#include "digest.hpp"
#include "dtype_option.hpp"
#include "exit_code.hpp"
#include "fingerprint.hpp"
#include "progress_bar.hpp"
#include "report_file.hpp"
#include "requantized.hpp"

namespace clmx::cli {
namespace {

/// What was given to hold the run against; read before anything is computed.
struct Given {
  std::optional<GivenLogits> logits;
  std::optional<NamedRecord> record;
  std::optional<Measured> baseline;
  std::vector<NamedMode> modes;

  Given(const CompareOptions& options, std::int64_t vocabulary) {
    if (names_logits(options.against)) {
      logits = read_logits(options.against, vocabulary);
    } else if (!options.against.empty()) {
      record = {options.against, read_record(options.against)};
    }
    if (!options.baseline.empty()) baseline = read_baseline(options.baseline);
    if (!options.modes.empty()) modes = parse_modes(options.modes);
  }
};

std::string digest_of_prompts(const Prompts& prompts) {
  std::string all;
  for (const auto& tokens : prompts) all += hex_digest(std::as_bytes(std::span(tokens)));
  return hex_digest(std::as_bytes(std::span(all)));
}

std::string command_of(const CommonOptions& common, const CompareOptions& options) {
  std::string command = "clmx compare --model " + quoted(common.model_path().string());
  if (options.dtype != "f32") command += " --dtype " + options.dtype;
  if (options.text) command += " --text " + quoted(*options.text);
  if (!options.prompts.empty()) command += " --prompts " + quoted(options.prompts);
  if (names_logits(options.against)) command += " --against " + quoted(options.against);
  return command;
}

/// Runs the model on each device, then in each mode.
class Runner {
 public:
  Runner(const CommonOptions& common, const CompareOptions& options, const ModelFile& file,
         const Given& given)
      : options_(options),
        given_(given),
        prompts_(given.logits ? prompts_of(file, options, given.logits->tokens)
                              : prompts_of(file, options)),
        devices_(common.devices_to_compare()),
        model_(file.load({.dtype = dtype_from_string(options.dtype)})),
        bar_("comparing", !common.quiet) {
    if (given.logits) check_rows(*given.logits, prompts_.front().size(), options.against);
    check_dump();
    total_ = devices_.size() * prompts_.size() * (1 + given.modes.size());
    result_.model = common.model_path().string();
    result_.of = join("model ", model_digest(file.path()), ", ", options.dtype, ", prompts ",
                      digest_of_prompts(prompts_));
    result_.command = command_of(common, options);
    result_.bytes = parameter_bytes(*model_);
  }

  ModelComparison run() {
    bar_.show(0, total_);
    for (const Device& device : devices_) add_device(device);
    for (const NamedMode& mode : given_.modes) add_mode(mode);
    return std::move(result_);
  }
  const std::map<std::string, Array>& dumped() const { return dumped_; }

 private:
  void check_dump() const {
    if (options_.dump.empty()) return;
    std::string parts;
    for (const std::string& part : model_->parts()) {
      if (names_module(options_.dump, part)) return;
      parts += (parts.empty() ? "" : " ") + part;
    }
    throw UsageError(join("--dump '", options_.dump, "' names no part of the model: ", parts));
  }

  void add_device(const Device& device) {
    ModelOnDevice one{device, {}};
    if (given_.logits) one.other.emplace();
    CompareModelRun run;
    run.progress = [&, before = done_](std::size_t done) {
      done_ = before + done;
      bar_.show(done_, total_);
    };
    run.on_logits = [&](std::size_t prompt, const DoubleArray& got, const DoubleArray& wanted) {
      add_logits(one, prompt, got, wanted);
    };
    if (!options_.dump.empty()) {
      run.on_result = [&](const std::string& part, const std::string& step, const Array& array) {
        if (names_module(options_.dump, part))
          dumped_.insert_or_assign(device.info().selector + ": " + step, array);
      };
    }
    one.result = compare_model(*model_, prompts_, device, run);
    compare_bits(one);
    result_.devices.push_back(std::move(one));
    device.trim_memory();  // the next one needs as much
  }

  void add_logits(ModelOnDevice& one, std::size_t prompt, const DoubleArray& got,
                  const DoubleArray& wanted) {
    if (one.other) one.other->add(prompts_[prompt], prompt, got, given_.logits->logits);
    if (!result_.devices.empty()) return;  // float64 is the same beside every device
    if (given_.logits)
      result_.other.emplace().add(prompts_[prompt], prompt, given_.logits->logits, wanted);
    if (!given_.modes.empty()) exact_.push_back(wanted);
  }

  void compare_bits(ModelOnDevice& one) const {
    if (result_.devices.empty()) return;
    const ModelOnDevice& first = result_.devices.front();
    const auto [own, other] = std::ranges::mismatch(one.result.steps, first.result.steps, {},
                                                    &ModelStep::digest, &ModelStep::digest);
    if (own == one.result.steps.end()) return;
    one.differs_from = first.device.info().selector;
    one.first_other_bits = *own;
  }

  void add_mode(const NamedMode& mode) {
    const RequantizedModel made = requantized(*model_, mode.params, devices_.front());
    ComparedMode compared{mode.name, parameter_bytes(*made.model), made.layers, made.kept, {}};
    for (const Device& device : devices_) {
      LogitsComparison& logits = compared.logits.emplace_back();
      for (std::size_t i = 0; i < prompts_.size(); ++i) {
        logits.add(prompts_[i], i, logits_on(*made.model, prompts_[i], device), exact_[i]);
        bar_.show(++done_, total_);
      }
    }
    result_.modes.push_back(std::move(compared));
  }

  const CompareOptions& options_;
  const Given& given_;
  Prompts prompts_;
  std::vector<Device> devices_;
  std::unique_ptr<LanguageModel> model_;
  ProgressBar bar_;
  std::size_t done_ = 0, total_ = 0;
  ModelComparison result_;
  std::vector<DoubleArray> exact_;  // float64 logits of each prompt, for the modes
  std::map<std::string, Array> dumped_;
};

ComparisonRecord record_of(const ModelComparison& all) {
  ComparisonRecord record{RecordKind::model, CLMX_VERSION, 0, all.of, {}};
  for (const ModelOnDevice& one : all.devices) {
    record.devices.push_back(recorded(one.device, one.result));
    add_mode_measures(all, record.devices.size() - 1, record.devices.back().measures);
  }
  return record;
}

void write_dump(const std::filesystem::path& record, const std::map<std::string, Array>& tensors,
                const std::string& of) {
  try {
    save_safetensors(std::filesystem::path(record).replace_extension(".safetensors"), tensors,
                     {{"of", of}});
  } catch (const FormatError& error) {
    throw std::runtime_error(error.what());  // the disk's fault, not a model's
  }
}

void check_files(const CompareOptions& options) {
  if (options.dump.empty()) return;
  if (options.record.empty())
    throw UsageError("--dump writes beside the file of --record: give both");
  if (names_logits(options.record))
    throw UsageError("--dump writes to " + options.record + ": name the record otherwise");
}

void pass_gates(const ModelComparison& all, const CompareOptions& options, bool strict,
                Gate& gate) {
  gate.check_devices(all.devices.size(), options.min_devices);
  for (const ModelOnDevice& one : all.devices) check_device(one, options, gate);
  check_modes(all, options, gate);
  for (const Agreement& each : all.agreements) {
    if (each.result.different > 0) gate.refuse(each.of + " has other bits than " + each.with);
  }
  if (all.worse && strict) check_worse(*all.worse, options.baseline, gate);
}

void hold_against(ModelComparison& all, const Given& given, const ComparisonRecord& own,
                  const CompareOptions& options) {
  if (given.record) all.agreements = agreements({"this machine", own}, *given.record);
  if (given.baseline) all.worse = got_worse(*given.baseline, measured(own), options.baseline);
}

}  // namespace

std::string ModelComparison::repeat(const ModelOnDevice& one) const {
  return command + " -d " + quoted(one.device.info().selector);
}

std::string ModelComparison::repeat(const ModelOnDevice& one, const std::string& part) const {
  return repeat(one) + " --record part.json --dump " + quoted(part);
}

int compare_models(const CommonOptions& common, const CompareOptions& options) {
  check_files(options);
  const ModelFile file(common.model_path());
  const Given given(options, file.config().vocabulary);
  Runner runner(common, options, file, given);
  ModelComparison all = runner.run();
  const ComparisonRecord own = record_of(all);
  hold_against(all, given, own, options);
  if (!options.record.empty()) write_report(options.record, to_json(own));
  if (!options.dump.empty()) write_dump(options.record, runner.dumped(), all.of);
  if (!options.html.empty()) write_report(options.html, to_html(all));
  if (common.json) {
    print(document_of(all, own));
  } else {
    print_comparison(all, common.verbosity > 0, options);
  }
  Gate gate;
  pass_gates(all, options, common.is_strict(), gate);
  if (!options.junit.empty())
    write_report(options.junit, to_junit(as_verified(all, options, gate)));
  return gate.exit_status();
}

}  // namespace clmx::cli
