#include <CLI/CLI.hpp>
#include <iostream>

#include "answer_self_check.hpp"
#include "clmx/devices/doctor.hpp"
#include "clmx/devices/failure.hpp"
#include "common_options.hpp"
#include "doctor_command.hpp"
#include "exit_code.hpp"
#include "hung_device.hpp"
#include "json_output.hpp"
#include "last_word.hpp"
#include "trace_file.hpp"

namespace {

using namespace clmx::cli;

bool computes(const Command& command) {
  const std::string name = command.parser->get_name();
  return name != "tokenize" && name != "doctor";
}

int parsed_and_run(int argc, char** argv) {
  CLI::App app("MLX-format quantized models on any OpenCL device", "clmx");
  app.set_version_flag("--version", std::string("clmx ") + CLMX_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  CommonOptions common;
  common.add_to(app);
  const std::vector<Command> commands = {
      devices_command(app, common),    run_command(app, common),
      logits_command(app, common),     tokenize_command(app, common),
      verify_command(app, common),     doctor_command(app, common),
      quantize_command(app, common),   compare_command(app, common),
      fingerprint_command(app, common)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::usage);
  }
  for (const Command& command : commands) {
    if (!command.parser->parsed()) continue;
    const int status = common.trace.empty()
                           ? command.run()
                           : run_traced(common.trace, command.parser->get_name(), command.run);
    finish_stdout();
    if (computes(command) && common.takes_default_device()) mention_unused_gpu();
    return status;
  }
  return static_cast<int>(ExitCode::usage);
}

int status_of(int argc, char** argv) {
  try {
    limit_hangs();
    return parsed_and_run(argc, argv);
  } catch (...) {
    return static_cast<int>(report_current_exception());
  }
}

// As a process that another one of this program started to try a device.
std::optional<int> answer_as_child(int argc, char** argv) {
  try {
    if (const auto status = clmx::answer_driver_probe(argc, argv)) return status;
    return clmx::answer_self_check(argc, argv);
  } catch (...) {
    return static_cast<int>(report_current_exception());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto status = answer_as_child(argc, argv)) leave(*status);
  explain_unexpected_ends();
  int status = status_of(argc, argv);
  try {
    const bool missing = status == static_cast<int>(ExitCode::device) && !clmx::any_device_hung();
    if (missing) explain_missing_devices();
  } catch (...) {
    status = static_cast<int>(report_current_exception());
  }
  end_is_expected();
  leave(status);
}
