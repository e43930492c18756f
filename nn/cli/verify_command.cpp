#include "common_options.hpp"
#include "exit_code.hpp"

namespace clmx::cli {

Command verify_command(CLI::App& app, const CommonOptions&) {
  CLI::App* parser = app.add_subcommand("verify", "Check golden cases on each device");
  return {parser, []() -> int { throw UsageError("this build has no golden cases"); }};
}

}  // namespace clmx::cli
