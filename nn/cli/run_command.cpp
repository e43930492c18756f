#include <chrono>
#include <future>
#include <iostream>
#include <memory>

#include "answer.hpp"
#include "clmx/devices/clock.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/devices/trace.hpp"
#include "clmx/nn/model_file.hpp"
#include "common_options.hpp"
#include "dtype_option.hpp"
#include "exit_code.hpp"
#include "interrupt.hpp"
#include "place_option.hpp"
#include "prompt.hpp"

namespace clmx::cli {
namespace {

struct RunOptions {
  std::string prompt, dtype = "f32";
  bool raw = false;
  GenerateOptions generation;
  PlaceOptions placing;
};

/// One `clmx run`: the model is loaded once, every device answers in turn.
class Run {
 public:
  Run(const CommonOptions& common, const RunOptions& options)
      : common_(common), options_(options) {}
  int execute();

 private:
  void load();
  void place();
  void prepare(const Device& device);
  void answer(const Device& device);
  void print_json() const;
  bool says() const { return !common_.quiet; }

  const CommonOptions& common_;
  const RunOptions& options_;
  Clock::time_point begin_ = Clock::now();
  GenerateOptions generation_;
  std::unique_ptr<LanguageModel> model_;
  std::optional<PlaceRequest> placing_;
  std::vector<PlacedParts> placed_;
  std::optional<Explanation> explanation_;
  std::optional<Tokenizer> tokenizer_;
  std::vector<std::int32_t> prompt_;
  double load_s_ = 0;
  std::vector<Answer> answers_;
};

void Run::load() {
  const TraceScope traced("load the model");
  const Clock::time_point begin = Clock::now();
  const ModelFile file(common_.model_path());
  placing_.emplace(options_.placing, common_, file.config().layers);
  auto loaded = std::async(std::launch::async,
                           [&] { return file.load({.dtype = dtype_from_string(options_.dtype)}); });
  tokenizer_ = file.tokenizer();
  prompt_ = options_.raw ? raw_tokens(*tokenizer_, options_.prompt)
                         : chat_tokens(*tokenizer_, options_.prompt);
  const auto positions = static_cast<std::int64_t>(prompt_.size());
  require(positions > 0, "run", "the prompt has no tokens");
  require(positions <= file.config().context, "run", "the prompt has ", positions,
          " tokens, the model's context is ", file.config().context);
  generation_ = options_.generation;
  const auto eos = tokenizer_->eos();
  generation_.stop_tokens.assign(eos.begin(), eos.end());
  model_ = loaded.get();
  load_s_ = seconds_since(begin);
}

void Run::place() {
  if (!placing_->given()) return;
  const std::int64_t wanted = static_cast<std::int64_t>(prompt_.size()) + generation_.max_tokens;
  placing_->apply(*model_, std::min(wanted, model_->context()), common_.quiet);
  placed_ = placed_parts(*model_, placing_->device());
}

// One token through a cache of its own: where weights are kept in a layout of the device, they take
// it now, so that the rate of the prompt is that of the prompt.
void Run::prepare(const Device& device) {
  const Stream stream = device.default_stream();
  explanation_.reset();
  if (options_.placing.explain) {
    explanation_ = explain(*model_, prompt_.front(), stream);
    if (says()) std::cerr << explanation_->text();
    return stream.synchronize();
  }
  if (placed_.empty() && device.info().device_class != DeviceClass::cpu_vector) return;
  ModelCache cache = model_->new_cache(1);
  model_->forward(std::span(prompt_).first(1), cache, LogitRows::last, stream);
  stream.synchronize();
}

void Run::answer(const Device& device) {
  const Clock::time_point begin = answers_.empty() ? begin_ : Clock::now();
  prepare(device);
  double first_token_s = 0;
  const Clock::time_point generation_begin = Clock::now();
  Answer answer =
      answer_on(device, *model_, *tokenizer_, prompt_, generation_, [&](const std::string& text) {
        if (!common_.json) std::cout << text << std::flush;
      });
  first_token_s =
      std::chrono::duration<double>(generation_begin - begin).count() + answer.generation.prefill_s;
  answer.placed = placed_;
  answer.explanation = explanation_;
  answer.load_s = load_s_;
  answer.first_token_s = first_token_s;
  if (!common_.json) std::cout << '\n' << std::flush;
  if (says()) std::cerr << speed_line(answer) << '\n';
  if (common_.verbosity > 0) {
    const BuildStats built = build_stats();
    std::cerr << "loaded in " << answer.load_s << " s, kernels in " << answer.build_s << " s ("
              << built.compiled << " compiled, " << built.loaded << " from the cache)\n"
              << transfer_line(answer) << '\n';
  }
  answers_.push_back(std::move(answer));
}

void Run::print_json() const {
  Json document = new_document();
  document["runs"] = Json::array();
  for (const Answer& answer : answers_) {
    document["runs"].push_back(described(answer, common_.model_path().string(), model_->dtype()));
  }
  document["passed_over"] = described(common_.passed_over);
  print(document);
}

int Run::execute() {
  const Sampler checked(options_.generation.sampling);  // before anything is loaded
  std::vector<Device> devices;
  if (options_.placing.place.empty()) {
    devices = common_.devices(CommonOptions::Without::default_device);
  }
  watch_interrupts();
  load();
  place();
  if (placing_->given()) devices = {placing_->device()};
  ExitCode status = ExitCode::ok;
  for (const Device& device : devices) {
    if (interrupted()) break;
    if (devices.size() > 1 && says()) {
      std::cerr << common_.heading(device.info().selector + "  " + device.info().name) << '\n';
    }
    try {
      answer(device);
    } catch (...) {
      status = report_current_exception();  // the other devices still answer
    }
  }
  if (common_.json) print_json();
  const std::string agreement = agreement_line(answers_);
  if (says() && !interrupted() && !agreement.empty()) std::cerr << agreement << '\n';
  return interrupted() ? interrupted_status() : static_cast<int>(status);
}

void add_options(CLI::App& parser, RunOptions& options) {
  GenerateOptions& generation = options.generation;
  SamplingOptions& sampling = generation.sampling;
  parser.add_option("PROMPT", options.prompt, "What to answer")->required();
  parser.add_flag("--raw", options.raw, "Continue the text as it is, without the chat template");
  parser.add_option("--max-tokens", generation.max_tokens, "Most tokens to generate")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31));
  parser.add_flag("--ignore-eos", generation.ignore_eos, "Go on after the end of the answer");
  parser.add_option("--temperature", sampling.temperature, "0: the most likely token");
  parser.add_option("--top-k", sampling.top_k, "Choose among the k most likely; 0: all");
  parser.add_option("--top-p", sampling.top_p, "Choose among the fewest that reach this sum");
  parser.add_option("--min-p", sampling.min_p, "Leave out those below this part of the highest");
  parser.add_option("--seed", sampling.seed, "Of the random choice");
  add_dtype_option(parser, options.dtype);
  add_place_options(parser, options.placing);
}

}  // namespace

Command run_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser = app.add_subcommand("run", "Answer a prompt");
  const auto options = std::make_shared<RunOptions>();
  add_options(*parser, *options);
  return {parser, [&common, options] { return Run(common, *options).execute(); }};
}

}  // namespace clmx::cli
