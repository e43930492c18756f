#include "kernel_table.hpp"

#include <xxhash.h>

#include <algorithm>
#include <chrono>

#include "cl_error.hpp"
#include "device_state.hpp"
#include "kernel_state.hpp"
#include "pacing.hpp"
#include "program_cache.hpp"

namespace clmx {
namespace {

std::uint64_t mix(std::uint64_t seed, std::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

std::uint64_t mix(std::uint64_t seed, std::uint64_t number) {
  return XXH3_64bits_withSeed(&number, sizeof number, seed);
}

// One at a time in the process: drivers' compilers do not all bear company.
std::mutex& build_mutex() {
  static std::mutex mutex;
  return mutex;
}

template <class T>
T work_group_info(const cl::Kernel& kernel, const DeviceState& device,
                  cl_kernel_work_group_info name) {
  T value{};
  check(kernel.getWorkGroupInfo(device.device, name, &value), device.info,
        "clGetKernelWorkGroupInfo");
  return value;
}

// Some drivers of CPUs give the sub-group's size for the kernel's limit and take far larger groups.
std::size_t work_group_limit(const cl::Kernel& kernel, const DeviceState& device) {
  const auto limit = work_group_info<std::size_t>(kernel, device, CL_KERNEL_WORK_GROUP_SIZE);
  const auto multiple =
      work_group_info<std::size_t>(kernel, device, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE);
  const bool mistaken = device.actual.type == DeviceType::cpu && limit == multiple;
  return mistaken ? device.info.max_work_group_size
                  : std::min(limit, device.info.max_work_group_size);
}

}  // namespace

std::uint64_t KernelTable::hash(const KernelSpec& spec) {
  std::uint64_t value = mix(reinterpret_cast<std::uintptr_t>(&spec.library), spec.file);
  value = mix(value, spec.entry);
  for (const Constant& constant : spec.constants) {
    value = mix(value, constant.name);
    value = constant.value.symbol.empty()
                ? mix(value, static_cast<std::uint64_t>(constant.value.number))
                : mix(value, constant.value.symbol);
  }
  return value;
}

bool KernelTable::Entry::matches(const KernelSpec& spec) const {
  return library == &spec.library && files == spec.library.files.data() && file == spec.file &&
         entry == spec.entry &&
         std::equal(constants.begin(), constants.end(), spec.constants.begin(),
                    spec.constants.end(), [](const OwnedConstant& mine, const Constant& theirs) {
                      return mine.number == theirs.value.number && mine.name == theirs.name &&
                             mine.symbol == theirs.value.symbol;
                    });
}

std::shared_ptr<KernelState> KernelTable::find(std::uint64_t hash, const KernelSpec& spec) const {
  const auto [first, last] = kernels_.equal_range(hash);
  const auto found =
      std::find_if(first, last, [&](const auto& entry) { return entry.second.matches(spec); });
  return found == last ? nullptr : found->second.kernel;
}

Kernel KernelTable::get(const KernelSpec& spec) {
  const std::uint64_t key = hash(spec);
  {
    const std::shared_lock lock(mutex_);
    if (auto kernel = find(key, spec)) return Kernel(std::move(kernel));
  }
  const std::lock_guard building(build_mutex());
  {
    const std::shared_lock lock(mutex_);
    if (auto kernel = find(key, spec)) return Kernel(std::move(kernel));
  }
  auto kernel = build(spec);
  remember(key, spec, kernel);
  return Kernel(std::move(kernel));
}

void KernelTable::remember(std::uint64_t hash, const KernelSpec& spec,
                           std::shared_ptr<KernelState> kernel) {
  Entry entry{&spec.library,
              spec.library.files.data(),
              std::string(spec.file),
              std::string(spec.entry),
              {},
              std::move(kernel)};
  for (const Constant& constant : spec.constants) {
    entry.constants.push_back(
        {std::string(constant.name), std::string(constant.value.symbol), constant.value.number});
  }
  const std::lock_guard lock(mutex_);
  kernels_.emplace(hash, std::move(entry));
}

std::shared_ptr<KernelState> KernelTable::build(const KernelSpec& spec) {
  auto built = program(spec);
  cl_int status = CL_SUCCESS;
  const std::string entry(spec.entry);
  const cl::Kernel kernel(built->program, entry.c_str(), &status);
  if (status != CL_SUCCESS) {
    throw_device_error(device_.info, "clCreateKernel", status,
                       join("kernel ", entry, " of ", spec.file));
  }
  auto state = std::make_shared<KernelState>(
      KernelState{device_, std::move(built), entry, next_number_++, 0, 1, 0});
  cl_uint arguments = 0;
  check(kernel.getInfo(CL_KERNEL_NUM_ARGS, &arguments), device_.info, "clGetKernelInfo");
  state->argument_count = arguments;
  state->max_work_group_size = work_group_limit(kernel, device_);
  state->local_bytes = work_group_info<cl_ulong>(kernel, device_, CL_KERNEL_LOCAL_MEM_SIZE);
  return state;
}

std::shared_ptr<ProgramState> KernelTable::program(const KernelSpec& spec) {
  ProgramRequest request{std::string(spec.file), flatten_source(spec.library, spec.file).text,
                         build_options(spec.constants)};
  const std::lock_guard lock(programs_mutex_);
  std::shared_ptr<ProgramState>& state = programs_[request.options + '\n' + request.source];
  if (!state) {
    state = load_or_compile(device_, request);
    state->cuttable = cuttable_axes(request.source);
  }
  return state;
}

// Exit handlers run in reverse: ours must come before those of whatever the driver's compiler made
// at its first launches.
void KernelTable::arrange_saving() {
  Saving wanted = Saving::wanted;
  if (saving_.compare_exchange_strong(wanted, Saving::arranged)) finish_at_exit();
}

void KernelTable::save_binaries() {
  if (saving_ != Saving::arranged) return;
  std::vector<std::shared_ptr<ProgramState>> programs;
  {
    const std::lock_guard lock(programs_mutex_);
    for (const auto& [_, program] : programs_) {
      if (program) programs.push_back(program);
    }
  }
  // A driver may compile every kernel once more when asked for its binary, which a process with
  // hundreds of programs must not wait for. What is left out is compiled, and saved, another time.
  constexpr std::chrono::seconds longest_save{20};
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& program : programs) {
    if (std::chrono::steady_clock::now() - begin > longest_save) return;
    save_binary(*program);
  }
}

}  // namespace clmx
