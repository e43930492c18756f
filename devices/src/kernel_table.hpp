#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "clmx/devices/kernel.hpp"
#include "program.hpp"

namespace clmx {

/// The kernels and programs of one device, each built once.
class KernelTable {
 public:
  explicit KernelTable(DeviceState& device) : device_(device) {}
  Kernel get(const KernelSpec& spec);
  /// A program is about to be launched in a new shape: its binary will be worth saving.
  void mark_unsaved() { saving_ = Saving::wanted; }
  /// Work was waited for: all that the driver makes at a first launch is made.
  void launches_waited_for() {
    if (saving_ == Saving::wanted) arrange_saving();
  }
  /// Writes the binaries of programs that were launched in new shapes to the disk cache. Only while
  /// the process ends: some drivers compile more for it.
  void save_binaries();

 private:
  enum class Saving { needless, wanted, arranged };
  struct OwnedConstant {
    std::string name, symbol;
    std::int64_t number = 0;
  };
  struct Entry {
    const KernelLibrary* library;
    const KernelSource* files;
    std::string file, entry;
    std::vector<OwnedConstant> constants;
    std::shared_ptr<KernelState> kernel;

    bool matches(const KernelSpec& spec) const;
  };
  static std::uint64_t hash(const KernelSpec& spec);
  std::shared_ptr<KernelState> find(std::uint64_t hash, const KernelSpec& spec) const;
  std::shared_ptr<KernelState> build(const KernelSpec& spec);
  std::shared_ptr<ProgramState> program(const KernelSpec& spec);
  void arrange_saving();
  void remember(std::uint64_t hash, const KernelSpec& spec, std::shared_ptr<KernelState> kernel);

  DeviceState& device_;
  mutable std::shared_mutex mutex_;
  std::unordered_multimap<std::uint64_t, Entry> kernels_;
  std::mutex programs_mutex_;
  std::unordered_map<std::string, std::shared_ptr<ProgramState>> programs_;  // by source + options
  std::uint32_t next_number_ = 0;
  std::atomic<Saving> saving_{Saving::needless};
};

}  // namespace clmx
