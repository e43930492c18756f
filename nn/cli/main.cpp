#include <CLI/CLI.hpp>
#include <iostream>

#include "answer_self_check.hpp"
#include "common_options.hpp"
#include "exit_code.hpp"
#include "json_output.hpp"
#include "trace_file.hpp"

namespace {

using namespace clmx::cli;

int parsed_and_run(int argc, char** argv) {
  CLI::App app("MLX-format quantized models on any OpenCL device", "clmx");
  app.set_version_flag("--version", std::string("clmx ") + CLMX_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  CommonOptions common;
  common.add_to(app);
  const std::vector<Command> commands = {devices_command(app, common), run_command(app, common),
                                         logits_command(app, common), tokenize_command(app, common),
                                         verify_command(app, common)};
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
    return status;
  }
  return static_cast<int>(ExitCode::usage);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (const auto status = clmx::answer_self_check(argc, argv)) return *status;
    return parsed_and_run(argc, argv);
  } catch (...) {
    return static_cast<int>(report_current_exception());
  }
}
