#include "compare_gate.hpp"

#include <iostream>

#include "clmx/devices/error.hpp"
#include "clmx/devices/kernel.hpp"
#include "exit_code.hpp"

namespace clmx::cli {

void Gate::refuse(const std::string& why) {
  std::cout.flush();  // what was said before comes first
  std::cerr << "clmx: gate: " << why << '\n';
  refusals_.push_back(why);
}

void Gate::check_devices(std::size_t compared, std::size_t wanted) {
  if (compared < wanted) refuse(join(compared, " devices were compared, ", wanted, " are wanted"));
  if (build_stats().launches == 0) refuse("nothing was compared: no kernel ran on any device");
}

int Gate::exit_status() const {
  return static_cast<int>(refusals_.empty() ? ExitCode::ok : ExitCode::gate);
}

DeviceResult Gate::as_verified() const {
  CaseResult gate{.name = "gate", .outcome = Outcome::within};
  for (const std::string& why : refusals_) {
    gate.outcome = Outcome::failed;
    gate.what += (gate.what.empty() ? "" : "; ") + why;
  }
  return {"compare", "compare", {{"gates", {gate}}}};
}

}  // namespace clmx::cli
