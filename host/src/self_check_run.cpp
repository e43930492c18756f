// The side of a self-check that starts the other one, waits and judges.
#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "child_process.hpp"
#include "clmx/devices/doctor.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/devices/failure.hpp"
#include "clmx/host/self_check.hpp"

namespace clmx {
namespace {

constexpr std::size_t most_failures = 8;
constexpr std::size_t most_tries = 8;  // features that end the process, one after the other

struct ProgramPath {
  std::mutex mutex;
  std::string path;
};

ProgramPath& program_path() {
  static ProgramPath path;
  return path;
}

std::string program() {
  const std::lock_guard lock(program_path().mutex);
  return program_path().path;
}

/// What one process reported.
struct Reported {
  SelfCheck check;
  std::string trying;   ///< the feature it was at
  std::string running;  ///< the case it was at
  bool ended = false;   ///< it got to the end
};

std::string_view after_word(std::string_view line, std::string_view word) {
  return line.substr(std::min(word.size() + 1, line.size()));
}

void take_line(const std::string& line, Reported& seen) {
  const std::string_view word = std::string_view(line).substr(0, line.find(' '));
  const std::string rest(after_word(line, word));
  SelfCheck& check = seen.check;
  if (word == "try") seen.trying = rest;
  if (word == "proved") check.features.insert(rest);
  if (word == "begin") {
    seen.trying.clear();
    seen.running = rest;
    if (rest != "start") ++check.total;
  }
  if (word == "passed") ++check.passed;
  if (word == "failed") {
    check.status = SelfCheckStatus::failed;
    if (check.failures.size() < most_failures) check.failures.push_back(rest);
  }
  if (word == "hung" && seen.trying.empty()) {
    check.status = SelfCheckStatus::hung;
    check.failures.push_back(join(seen.running, ": ", rest));
  }
  seen.ended = seen.ended || word == "end";
}

std::vector<std::string> arguments_for(const Device& device, const SelfCheckOptions& options,
                                       const std::vector<std::string>& skip) {
  std::vector<std::string> arguments{"self-check",
                                     "--device",
                                     "id=" + device.info().id,
                                     "--report",
                                     std::to_string(ChildProcess::report_descriptor),
                                     "--cases",
                                     options.full ? "full" : "quick",
                                     "--hang-limit",
                                     std::to_string(hang_limit().count())};
  for (const std::string& feature : skip) arguments.insert(arguments.end(), {"--skip", feature});
  return arguments;
}

/// One process, to its end. Nothing when it cannot be started.
std::optional<Reported> reported(const Device& device, const SelfCheckOptions& options,
                                 const std::vector<std::string>& skip) {
  ChildProcess child(program(), arguments_for(device, options, skip));
  if (!child.started()) return std::nullopt;
  Reported seen;
  seen.check = {.status = SelfCheckStatus::ok, .full = options.full};
  while (const auto line = child.line(options.limit_s)) take_line(*line, seen);
  const bool hung = child.timed_out() && !seen.ended;
  // What it saves at its end is not part of the check.
  const std::string how = child.end(hung ? 0 : seen.ended ? options.limit_s : 5);
  if (seen.ended || !seen.trying.empty() || seen.check.status == SelfCheckStatus::hung) return seen;
  if (seen.check.status == SelfCheckStatus::failed && seen.running == "start") return seen;
  seen.check.status = hung ? SelfCheckStatus::hung : SelfCheckStatus::crashed;
  seen.check.failures.push_back(
      hung ? join(seen.running, ": nothing came for ", options.limit_s, " s")
           : join(seen.running, ": the process ", how));
  return seen;
}

/// A feature that ends its process is left out of the next one.
SelfCheck checked(const Device& device, const SelfCheckOptions& options) {
  std::vector<std::string> skip;
  while (skip.size() < most_tries) {
    const auto seen = reported(device, options, skip);
    if (!seen) return {};
    if (seen->ended || seen->trying.empty()) return seen->check;
    skip.push_back(seen->trying);
  }
  return {.status = SelfCheckStatus::crashed, .failures = {"the process ended in every probe"}};
}

std::optional<SelfCheck> verdict(const Device& device) {
  auto stored = stored_self_check(device.info());
  if (stored && stored->status == SelfCheckStatus::not_run) stored.reset();
  return stored;
}

}  // namespace

void set_self_check_program(std::string path) {
  const std::lock_guard lock(program_path().mutex);
  program_path().path = std::move(path);
}

SelfCheck run_self_check(const Device& device, const SelfCheckOptions& options) {
  if (program().empty()) return {};
  // The system's fault and soon cured: not a verdict to keep.
  if (const auto missing = lacking(device.info())) {
    return {.status = SelfCheckStatus::failed,
            .full = options.full,
            .failures = {join(missing->found, "; cure: ", missing->cure)}};
  }
  SelfCheck check = checked(device, options);
  const bool system_failed = check.is_bad() && lacking(device.info());
  if (check.status == SelfCheckStatus::not_run || system_failed) return check;
  if (const auto before = stored_self_check(device.info())) check.speed = before->speed;
  store_self_check(device.info(), check);
  return check;
}

SelfCheck self_check(const Device& device) {
  if (const auto stored = verdict(device)) return *stored;
  if (program().empty()) return {};
  const SelfCheckTurn turn;
  if (const auto stored = verdict(device)) return *stored;  // by the process that went first
  return run_self_check(device);
}

bool has_proved(const Device& device, std::string_view feature) {
  static std::mutex mutex;
  static std::unordered_map<Device, std::set<std::string>> known;
  const std::lock_guard lock(mutex);
  auto found = known.find(device);
  if (found == known.end()) found = known.emplace(device, self_check(device).features).first;
  return found->second.contains(std::string(feature));
}

}  // namespace clmx
