#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "clmx/devices/self_check.hpp"

namespace clmx {

/// One case of a self-check. run gives what is wrong, or "" when nothing is.
struct CheckCase {
  std::string name;
  bool quick = false;  ///< also part of the check that runs by itself
  std::function<std::string(const Device&)> run;
};

/// A self-check runs in a process of its own, since drivers crash and hang in ways that a process
/// does not survive. This names the program to start: it is called as
///
///   PROGRAM self-check --device id=ID --report FD --cases quick|full [--hang-limit MILLISECONDS]
///           [--skip FEATURE]...
///
/// and must answer by serve_self_check. Without a program, the default, devices whose verdict is
/// not stored are used without their optional features. The path must stay valid.
void set_self_check_program(std::string path);

/// The other side: what the started program does. arguments: those after "self-check". First tries
/// the optional features, then the cases, and reports on the descriptor. Gives the exit status.
/// Prints nothing. Ends the process itself when the device hangs for the hang limit of the process
/// that asked, and after the quick cases.
int serve_self_check(std::span<const std::string> arguments, std::span<const CheckCase> cases);

struct SelfCheckOptions {
  bool full = false;
  /// Without a word from the process, which is then killed: compilers hang too. A kernel that does
  /// not end is told by the hang limit (set_hang_limit), where one is set.
  double limit_s = 120;
};

/// Runs the self-check of a device in a process of its own, stores the verdict (a speed that was
/// stored before stays) and gives it. status is not_run where no program is set or it cannot be
/// started. Takes as long as the device takes to compile: about a second for the quick one.
SelfCheck run_self_check(const Device& device, const SelfCheckOptions& options = {});

/// The stored verdict; where there is none, run_self_check's quick one.
SelfCheck self_check(const Device& device);

/// Whether a self-check has proved that the optional feature works on the device. Asked once per
/// device and process, by the first op that would use it.
bool has_proved(const Device& device, std::string_view feature);

}  // namespace clmx
