#pragma once

#include <optional>

namespace clmx {

/// The first thing in main() of a program that uses devices: makes the program the one that
/// self-checks start. Gives the exit status where this process was started as one.
std::optional<int> answer_self_check(int argc, char** argv);

}  // namespace clmx
