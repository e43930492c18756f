#define CL_TARGET_OPENCL_VERSION 120
#include "driver_probe.hpp"

#include <CL/cl_icd.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <sstream>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

constexpr std::string_view argument = "--clmx-probe-driver";
constexpr std::string_view mark = "clmx-probe";
constexpr std::chrono::seconds longest_trial{20};

using Clock = std::chrono::steady_clock;
using GetPlatforms = cl_int(CL_API_CALL*)(cl_uint, cl_platform_id*, cl_uint*);

// The first member of every OpenCL object of a driver that a loader can use.
const cl_icd_dispatch& dispatch(void* object) {
  return **static_cast<const cl_icd_dispatch**>(object);
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text;
}

template <class Object, class Get>
std::string text_of(Object object, Get get, cl_uint name) {
  std::array<char, 256> text{};
  if (get(object, name, text.size() - 1, text.data(), nullptr) != CL_SUCCESS) return "?";
  return text.data();
}

ProbedDevice described(cl_device_id device) {
  const auto get = dispatch(device).clGetDeviceInfo;
  cl_device_type type = 0;
  get(device, CL_DEVICE_TYPE, sizeof type, &type, nullptr);
  return {text_of(device, get, CL_DEVICE_NAME), text_of(device, get, CL_DEVICE_VENDOR),
          type & CL_DEVICE_TYPE_CPU   ? DeviceType::cpu
          : type & CL_DEVICE_TYPE_GPU ? DeviceType::gpu
                                      : DeviceType::accelerator};
}

ProbedPlatform described(cl_platform_id platform) {
  const cl_icd_dispatch& calls = dispatch(platform);
  ProbedPlatform result{text_of(platform, calls.clGetPlatformInfo, CL_PLATFORM_NAME)};
  std::array<cl_device_id, 64> devices{};
  cl_uint count = 0;
  if (calls.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, devices.size(), devices.data(), &count) !=
      CL_SUCCESS) {
    return result;
  }
  for (cl_uint i = 0; i < std::min<cl_uint>(count, devices.size()); ++i) {
    result.devices.push_back(described(devices[i]));
  }
  return result;
}

DriverProbe try_here(const char* library) {
  void* const driver = ::dlopen(library, RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return {join("cannot be loaded: ", ::dlerror())};
  using Find = void* (*)(const char*);
  const auto find = reinterpret_cast<Find>(::dlsym(driver, "clGetExtensionFunctionAddress"));
  const auto get =
      find ? reinterpret_cast<GetPlatforms>(find("clIcdGetPlatformIDsKHR")) : GetPlatforms{};
  if (!get) return {"is no OpenCL driver: it has no clIcdGetPlatformIDsKHR"};
  std::array<cl_platform_id, 16> platforms{};
  cl_uint count = 0;
  DriverProbe probe;
  if (get(platforms.size(), platforms.data(), &count) != CL_SUCCESS) return probe;
  for (cl_uint i = 0; i < std::min<cl_uint>(count, platforms.size()); ++i) {
    probe.platforms.push_back(described(platforms[i]));
  }
  return probe;
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> parts;
  std::istringstream in(line);
  for (std::string part; std::getline(in, part, '\t');) parts.push_back(part);
  return parts;
}

/// A child with its standard output on a pipe and the rest on /dev/null.
class Trial {
 public:
  Trial(const std::string& program, const std::string& library) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
    from_ = ends[0];
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::array<std::string, 3> words{program, std::string(argument), library};
    std::array<char*, 4> arguments{words[0].data(), words[1].data(), words[2].data(), nullptr};
    if (::posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments.data(), environ)) {
      process_ = -1;
    }
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial() {
    if (from_ >= 0) ::close(from_);
  }
  bool started() const { return process_ > 0; }
  /// All that it writes until it ends; false when the time is over first.
  bool read_until(Clock::time_point end, std::string& text) const {
    std::array<char, 4096> some{};
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
      pollfd waiting{from_, POLLIN, 0};
      if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) == 0) {
        return false;
      }
      const ssize_t got = ::read(from_, some.data(), some.size());
      if (got <= 0) return true;
      text.append(some.data(), static_cast<std::size_t>(got));
    }
  }
  /// The wait status, after killing it if it still runs.
  int end(bool kill) const {
    if (kill) ::kill(process_, SIGKILL);
    int status = 0;
    ::waitpid(process_, &status, 0);
    return status;
  }

 private:
  pid_t process_ = -1;
  int from_ = -1;
};

}  // namespace

std::string encode(const DriverProbe& probe) {
  std::string text;
  if (!probe.failure.empty()) text += join(mark, "\tfailure\t", one_line(probe.failure), '\n');
  for (const ProbedPlatform& platform : probe.platforms) {
    text += join(mark, "\tplatform\t", one_line(platform.name), '\n');
    for (const ProbedDevice& device : platform.devices) {
      text += join(mark, "\tdevice\t", to_string(device.type), '\t', one_line(device.name), '\t',
                   one_line(device.vendor), '\n');
    }
  }
  return text;
}

DriverProbe decode_driver_probe(const std::string& text) {
  DriverProbe probe;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> parts = split(line);
    if (parts.size() < 3 || parts[0] != mark) continue;
    if (parts[1] == "failure") probe.failure = parts[2];
    if (parts[1] == "platform") probe.platforms.push_back({parts[2]});
    if (parts[1] != "device" || parts.size() < 4 || probe.platforms.empty()) continue;
    parts.resize(5);
    const DeviceType type = parts[2] == "gpu"   ? DeviceType::gpu
                            : parts[2] == "cpu" ? DeviceType::cpu
                                                : DeviceType::accelerator;
    probe.platforms.back().devices.push_back({parts[3], parts[4], type});
  }
  return probe;
}

DriverProbe probe_driver(const std::filesystem::path& program, const std::string& library) {
  const Trial trial(program.string(), library);
  if (!trial.started()) return {"cannot be tried: no process could be started"};
  std::string text;
  const bool ended = trial.read_until(Clock::now() + longest_trial, text);
  const int status = trial.end(!ended);
  DriverProbe probe = decode_driver_probe(text);
  if (!ended) return {join("did not answer within ", longest_trial.count(), " seconds")};
  // A driver that dies after it has answered does so at the end of every program.
  if (WIFSIGNALED(status) && probe.failure.empty()) {
    probe.failure = join("crashed when it was tried (", ::strsignal(WTERMSIG(status)), ')');
  }
  return probe;
}

std::optional<int> answer_driver_probe(int argc, char** argv) {
  if (argc != 3 || argv[1] != argument) return std::nullopt;
  std::string rest = encode(try_here(argv[2]));
  while (!rest.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written <= 0) return 1;
    rest.erase(0, static_cast<std::size_t>(written));
  }
  return 0;
}

SystemView this_system(const std::filesystem::path& program) {
  SystemView system;
  system.variable = [](const char* name) { return environment(name); };
  system.probe = [program](const std::string& library) { return probe_driver(program, library); };
  return system;
}

}  // namespace clmx
