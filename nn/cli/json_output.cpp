#include "json_output.hpp"

#include <iostream>
#include <stdexcept>

namespace clmx::cli {

void print(const Json& document) {
  std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

void finish_stdout() {
  std::cout.flush();
  if (!std::cout) throw std::runtime_error("writing to standard output failed");
}

}  // namespace clmx::cli
