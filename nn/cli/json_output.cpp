#include "json_output.hpp"

#include <iostream>
#include <stdexcept>

namespace clmx::cli {

Json described(std::span<const DeviceProblem> problems) {
  Json list = Json::array();
  for (const DeviceProblem& problem : problems) {
    list.push_back({{"where", problem.where}, {"reason", problem.reason}});
  }
  return list;
}

void print(const Json& document) {
  std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

void finish_stdout() {
  std::cout.flush();
  if (!std::cout) throw std::runtime_error("writing to standard output failed");
}

}  // namespace clmx::cli
