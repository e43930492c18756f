// The side of a self-check that runs on the device, in a process that may crash or hang.
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>

#include "clmx/devices/failure.hpp"
#include "clmx/host/self_check.hpp"
#include "features.hpp"

namespace clmx {
namespace {

struct Orders {
  std::string device;
  int report = -1;
  bool full = false;
  std::chrono::milliseconds::rep hang_limit_ms = 0;
  std::vector<std::string> skip;
};

template <class Number>
void parse_number(const std::string& text, Number& number) {
  std::from_chars(text.data(), text.data() + text.size(), number);
}

std::optional<Orders> parse(std::span<const std::string> arguments) {
  Orders orders;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    const std::string &name = arguments[i], &value = arguments[i + 1];
    if (name == "--device") orders.device = value;
    if (name == "--cases") orders.full = value == "full";
    if (name == "--skip") orders.skip.push_back(value);
    if (name == "--report") parse_number(value, orders.report);
    if (name == "--hang-limit") parse_number(value, orders.hang_limit_ms);
  }
  if (arguments.size() % 2 != 0 || orders.device.empty() || orders.report < 0) return std::nullopt;
  return orders;
}

/// Lines to the process that waits: unbuffered, so that the last one tells where it ended.
class Report {
 public:
  explicit Report(int descriptor) : descriptor_(descriptor) {}
  template <class... Parts>
  void line(const Parts&... parts) const {
    std::string text = join(parts...);
    std::replace(text.begin(), text.end(), '\n', ' ');
    constexpr std::size_t longest = 500;  // below PIPE_BUF: written whole
    text = text.substr(0, longest) + '\n';
    if (::write(descriptor_, text.data(), text.size()) < 0) ::_exit(1);  // nobody listens
  }

 private:
  int descriptor_;
};

/// What hangs passes: the device is no more use to this process.
template <class Call>
std::string what_is_wrong(Call call) {
  try {
    return call();
  } catch (const DeviceHung&) {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  }
}

SelfCheck tried_features(const Device& device, const Orders& orders, const Report& report) {
  SelfCheck found{.status = SelfCheckStatus::ok};
  for (const Feature& feature : features()) {
    if (!feature.may_work(device.info())) continue;
    if (std::ranges::find(orders.skip, feature.name) != orders.skip.end()) continue;
    report.line("try ", feature.name);
    const std::string wrong =
        what_is_wrong([&] { return feature.works(device) ? "" : "does not work"; });
    if (!wrong.empty()) continue;
    report.line("proved ", feature.name);
    found.features.emplace(feature.name);
  }
  return found;
}

void check_on(const Device& device, const Orders& orders, std::span<const CheckCase> cases,
              const Report& report) {
  remember_self_check(device.info(), tried_features(device, orders, report));
  for (const CheckCase& each : cases) {
    if (!orders.full && !each.quick) continue;
    report.line("begin ", each.name);
    const std::string wrong = what_is_wrong([&] { return each.run(device); });
    if (wrong.empty()) report.line("passed ", each.name);
    if (!wrong.empty()) report.line("failed ", each.name, ": ", wrong);
  }
  report.line("end");
}

}  // namespace

int serve_self_check(std::span<const std::string> arguments, std::span<const CheckCase> cases) {
  const auto orders = parse(arguments);
  if (!orders) return 2;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  set_hang_limit(std::chrono::milliseconds(orders->hang_limit_ms));
  const Report report(orders->report);
  try {
    const std::string wrong = what_is_wrong([&] {
      report.line("begin start");
      check_on(Device::select(orders->device), *orders, cases, report);
      return "";
    });
    if (!wrong.empty()) report.line("failed start: ", wrong);
  } catch (const DeviceHung& error) {
    report.line("hung ", error.what());
    ::_exit(1);
  }
  // The quick one is waited for by somebody who wants to use the device: binaries are saved then.
  if (!orders->full) ::_exit(0);
  return 0;
}

}  // namespace clmx
