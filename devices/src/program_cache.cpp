#include "program_cache.hpp"

#include <chrono>

#include "binary_store.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/devices/trace.hpp"
#include "counters.hpp"
#include "cpu_features.hpp"
#include "device_state.hpp"

namespace clmx {
namespace {

// A new number whenever the meaning of key or entry changes.
constexpr int cache_format = 1;

bool try_load(DeviceState& device, const ProgramRequest& request, ProgramState& state) {
  std::optional<StoredBinary> stored = load_binary(state.key);
  if (!stored) return false;
  const TraceScope loading(request.file, TraceKind::load);
  const std::vector<cl::Device> devices{device.device};
  const cl::Program::Binaries binaries{std::move(stored->payload)};
  cl_int status = CL_SUCCESS;
  const cl::Program program(device.context(), devices, binaries, nullptr, &status);
  if (status != CL_SUCCESS) return false;
  if (program.build(device.device, request.options.c_str()) != CL_SUCCESS) return false;
  state.program = program;
  state.shapes = std::move(stored->shapes);
  ++counters().loaded;
  return true;
}

class BuildTimer {
 public:
  BuildTimer() = default;
  BuildTimer(const BuildTimer&) = delete;
  BuildTimer& operator=(const BuildTimer&) = delete;
  ~BuildTimer() {
    const auto time = std::chrono::steady_clock::now() - start_;
    counters().build_nanoseconds += static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

std::string cache_key(const DeviceInfo& device, const ProgramRequest& request) {
  const std::string features = device.type == DeviceType::cpu ? cpu_features() : "";
  return join("clmx program ", cache_format, '\n', device.platform, '\n', device.name, '\n',
              device.driver_version, '\n', device.opencl_version, '\n', features, '\n',
              request.options, '\n', request.source);
}

std::shared_ptr<ProgramState> load_or_compile(DeviceState& device, const ProgramRequest& request) {
  const BuildTimer timer;
  auto state = std::make_shared<ProgramState>();
  state->file = request.file;
  state->key = cache_key(device.actual, request);
  if (!try_load(device, request, *state)) state->program = compile(device, request);
  return state;
}

void save_binary(ProgramState& program) {
  StoredBinary binary;
  {
    const std::lock_guard lock(program.mutex);
    if (!program.unsaved) return;
    program.unsaved = false;
    binary.shapes = program.shapes;
  }
  if (!cache_directory()) return;
  const TraceScope saving(program.file, TraceKind::save);
  cl::Program::Binaries binaries;
  if (program.program.getInfo(CL_PROGRAM_BINARIES, &binaries) != CL_SUCCESS) return;
  if (binaries.size() != 1 || binaries.front().empty()) return;
  binary.payload = std::move(binaries.front());
  store_binary(program.key, binary);
}

}  // namespace clmx
