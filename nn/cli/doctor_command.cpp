#include "doctor_command.hpp"

#include <iostream>

#include "clmx/devices/doctor.hpp"
#include "exit_code.hpp"
#include "json_output.hpp"

namespace clmx::cli {
namespace {

SystemView this_one() {
  return this_system("/proc/self/exe");
}

void print_check(std::ostream& out, const SystemCheck& check) {
  out << (check.ok ? "ok    " : "FAIL  ") << check.name << ": " << check.found << '\n';
  if (!check.ok) out << "      cure: " << check.cure << '\n';
}

Json described(const Diagnosis& diagnosis) {
  Json document = new_document();
  document["devices"] = diagnosis.devices;
  document["checks"] = Json::array();
  for (const SystemCheck& check : diagnosis.checks) {
    document["checks"].push_back({{"name", check.name},
                                  {"ok", check.ok},
                                  {"found", check.found},
                                  {"cure", check.ok ? Json(nullptr) : Json(check.cure)}});
  }
  return document;
}

int run_doctor(const CommonOptions& common) {
  const Diagnosis diagnosis = examine(this_one());
  if (common.json) {
    print(described(diagnosis));
  } else {
    for (const SystemCheck& check : diagnosis.checks) print_check(std::cout, check);
  }
  if (diagnosis.devices > 0) return 0;
  if (!common.quiet) std::cerr << "clmx: no driver offers an OpenCL device\n";
  return static_cast<int>(ExitCode::device);
}

}  // namespace

void explain_missing_devices() {
  if (!Device::all().empty()) return;
  for (const SystemCheck& check : examine(this_one()).checks) {
    if (!check.ok) print_check(std::cerr, check);
  }
}

void mention_unused_gpu() {
  if (const auto line = unused_gpu(this_one(), Device::all())) std::cerr << *line << '\n';
}

Command doctor_command(CLI::App& app, const CommonOptions& common) {
  CLI::App* parser =
      app.add_subcommand("doctor", "Say what keeps devices from being found, and what cures it");
  return {parser, [&common] { return run_doctor(common); }};
}

}  // namespace clmx::cli
