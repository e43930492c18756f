#include "answer_self_check.hpp"

#include "self_check_cases.hpp"

namespace clmx {

std::optional<int> answer_self_check(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "self-check") {
    return serve_self_check(std::vector<std::string>(argv + 2, argv + argc), self_check_cases());
  }
  set_self_check_program("/proc/self/exe");
  return std::nullopt;
}

}  // namespace clmx
