#include "clmx/devices/self_check.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <map>
#include <mutex>

#include "binary_store.hpp"
#include "clmx/devices/error.hpp"
#include "cpu_features.hpp"

namespace clmx {
namespace {

// A new number whenever the meaning of key or text changes.
constexpr int record_format = 1;

constexpr std::array statuses{SelfCheckStatus::not_run, SelfCheckStatus::ok,
                              SelfCheckStatus::failed, SelfCheckStatus::crashed,
                              SelfCheckStatus::hung};

/// Verdicts that only this process knows.
class Remembered {
 public:
  void put(const std::string& key, const SelfCheck& check) {
    const std::lock_guard lock(mutex_);
    checks_[key] = check;
  }
  void drop(const std::string& key) {
    const std::lock_guard lock(mutex_);
    checks_.erase(key);
  }
  std::optional<SelfCheck> get(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = checks_.find(key);
    return found == checks_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, SelfCheck> checks_;
};

Remembered& remembered() {
  static auto* const all = new Remembered;  // exit handlers may still ask
  return *all;
}

template <class T>
bool parse(std::string_view text, T& value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end;
}

bool parse_speed(std::string_view text, double& value) {
  return parse(text, value) && std::isfinite(value) && value >= 0;
}

std::string shortest(double value) {
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() ? std::string(digits.data(), end) : "0";
}

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return text;
}

bool parse_status(std::string_view text, SelfCheckStatus& status) {
  for (const SelfCheckStatus each : statuses) {
    if (text != to_string(each)) continue;
    status = each;
    return true;
  }
  return false;
}

bool take_line(std::string_view name, std::string_view value, SelfCheck& check) {
  if (name == "status") return parse_status(value, check.status);
  if (name == "passed") return parse(value, check.passed) && check.passed >= 0;
  if (name == "total") return parse(value, check.total) && check.total >= check.passed;
  if (name == "stream") return parse_speed(value, check.speed.stream_bytes_per_s);
  if (name == "launch") return parse_speed(value, check.speed.launch_s);
  if (name == "failure") check.failures.emplace_back(value);
  if (name == "feature") check.features.emplace(value);
  if (name == "extent") check.full = value == "full";
  return name == "failure" || name == "feature" ||
         (name == "extent" && (value == "full" || value == "quick"));
}

}  // namespace

std::string_view to_string(SelfCheckStatus status) {
  switch (status) {
    case SelfCheckStatus::not_run:
      return "not_run";
    case SelfCheckStatus::ok:
      return "ok";
    case SelfCheckStatus::failed:
      return "failed";
    case SelfCheckStatus::crashed:
      return "crashed";
    case SelfCheckStatus::hung:
      return "hung";
  }
  return "unknown";
}

std::string describe(const SelfCheck& check) {
  const std::string counts = join(check.passed, " of ", check.total, " cases passed");
  const std::string first =
      check.failures.empty() ? std::string() : "; first: " + check.failures.front();
  switch (check.status) {
    case SelfCheckStatus::not_run:
      return "has not been checked";
    case SelfCheckStatus::ok:
      return join("passed its self-check (", counts, ')');
    case SelfCheckStatus::failed:
      return join("failed its self-check (", counts, first, ')');
    case SelfCheckStatus::crashed:
      return join("crashed in its self-check (", counts, first, ')');
    case SelfCheckStatus::hung:
      return join("hung in its self-check (", counts, first, ')');
  }
  return {};
}

SelfCheckTurn::SelfCheckTurn() {
  const auto folder = cache_directory();
  if (!folder) return;
  folder_ = ::open(folder->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  while (folder_ >= 0 && ::flock(folder_, LOCK_EX) != 0 && errno == EINTR) continue;
}

SelfCheckTurn::~SelfCheckTurn() {
  if (folder_ >= 0) ::close(folder_);
}

std::string encode(const SelfCheck& check) {
  std::string text = join("status ", to_string(check.status), "\nextent ",
                          check.full ? "full" : "quick", "\npassed ", check.passed, "\ntotal ",
                          check.total, "\nstream ", shortest(check.speed.stream_bytes_per_s),
                          "\nlaunch ", shortest(check.speed.launch_s), '\n');
  for (const std::string& failure : check.failures) text += "failure " + one_line(failure) + '\n';
  for (const std::string& feature : check.features) text += "feature " + one_line(feature) + '\n';
  return text;
}

std::optional<SelfCheck> decode_self_check(std::string_view text) {
  SelfCheck check;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    const std::size_t blank = line.find(' ');
    if (end == std::string_view::npos || blank == std::string_view::npos) return std::nullopt;
    if (!take_line(line.substr(0, blank), line.substr(blank + 1), check)) return std::nullopt;
    rest.remove_prefix(end + 1);
  }
  if (encode(check) != text) return std::nullopt;
  return check;
}

std::string self_check_key(const DeviceInfo& device) {
  const std::string features = device.type == DeviceType::cpu ? cpu_features() : "";
  return join("clmx self-check ", record_format, '\n', CLMX_VERSION, '\n', device.id, '\n',
              device.platform, '\n', device.name, '\n', device.driver_version, '\n',
              device.opencl_version, '\n', features, '\n', device.pretends, '\n',
              environment("CLMX_KERNEL_DIR").value_or(""));
}

std::optional<SelfCheck> stored_self_check(const DeviceInfo& device) {
  const std::string key = self_check_key(device);
  if (auto known = remembered().get(key)) return known;
  const auto stored = load_binary(key);
  if (!stored) return std::nullopt;
  return decode_self_check(
      {reinterpret_cast<const char*>(stored->payload.data()), stored->payload.size()});
}

void store_self_check(const DeviceInfo& device, const SelfCheck& check) {
  const std::string key = self_check_key(device), text = encode(check);
  if (store_binary(key, {{}, {text.begin(), text.end()}})) {
    remembered().drop(key);
  } else {
    remembered().put(key, check);
  }
}

void remember_self_check(const DeviceInfo& device, const SelfCheck& check) {
  remembered().put(self_check_key(device), check);
}

}  // namespace clmx
