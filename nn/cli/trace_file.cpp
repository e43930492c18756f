#include "trace_file.hpp"

#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <thread>

#include "clmx/devices/error.hpp"
#include "clmx/host/atomic_file.hpp"
#include "exit_code.hpp"
#include "trace_json.hpp"

namespace clmx::cli {
namespace {

// Pieces gathered before they go to the file.
constexpr std::size_t write_bytes = std::size_t{1} << 20;

class TraceFile {
 public:
  explicit TraceFile(const std::string& path) : file_(checked(path)) {}
  /// Writes what was traced so far. The first call counts. Throws FormatError.
  void write(TraceEnd end) {
    const std::lock_guard lock(mutex_);
    if (written_) return;
    written_ = true;
    const Trace trace = take_trace(end);
    std::string gathered;
    write_trace_json(trace, [&](std::string_view piece) {
      gathered += piece;
      if (gathered.size() < write_bytes) return;
      append(gathered);
      gathered.clear();
    });
    append(gathered);
    file_.commit();
  }

 private:
  static const std::string& checked(const std::string& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) throw FormatError(path, 0, "is a folder");
    return path;
  }
  void append(const std::string& text) { file_.append(std::as_bytes(std::span(text))); }

  std::mutex mutex_;
  AtomicFile file_;
  bool written_ = false;
};

/// For when the command's own end matters more.
void write_or_say(TraceFile& file) {
  try {
    file.write(TraceEnd::at_once);
  } catch (const std::exception& error) {
    std::cerr << "clmx: --trace: " << error.what() << '\n';
  }
}

std::array<int, 2> signal_pipe{-1, -1};

extern "C" void on_signal(int number) {
  const auto byte = static_cast<unsigned char>(number);
  if (write(signal_pipe[1], &byte, 1) != 1) _exit(128 + number);
}

/// While it lives, SIGINT and SIGTERM write the trace before the process ends. A command that
/// handles SIGINT itself goes on doing so.
class SignalWatch {
 public:
  explicit SignalWatch(TraceFile& file) : file_(file) {
    if (pipe(signal_pipe.data()) != 0) throw std::runtime_error("--trace: no pipe");
    thread_ = std::thread([this] { watch(); });
    for (const int number : {SIGINT, SIGTERM}) std::signal(number, on_signal);
  }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch() {
    for (const int number : {SIGINT, SIGTERM}) std::signal(number, SIG_DFL);
    on_signal(0);
    thread_.join();
    for (const int end : signal_pipe) close(end);
  }

 private:
  void watch() {
    unsigned char number = 0;
    while (read(signal_pipe[0], &number, 1) < 0) {
    }
    if (number == 0) return;
    write_or_say(file_);
    _exit(128 + number);
  }

  TraceFile& file_;
  std::thread thread_;
};

/// The disk's fault, not a model's.
template <class Call>
void refusing(Call call) {
  try {
    call();
  } catch (const FormatError& error) {
    throw std::runtime_error(join("--trace: ", error.what()));
  }
}

int run_watched(TraceFile& file, const std::string& command, const std::function<int()>& run) {
  const SignalWatch watch(file);
  int status = 0;
  try {
    const TraceScope whole(command);
    status = run();
  } catch (...) {
    write_or_say(file);
    throw;
  }
  refusing([&] { file.write(TraceEnd::complete); });
  return status;
}

}  // namespace

int run_traced(const std::string& path, const std::string& command,
               const std::function<int()>& run) {
  std::optional<TraceFile> file;
  refusing([&] { file.emplace(path); });
  start_trace();
  return run_watched(*file, command, run);
}

}  // namespace clmx::cli
