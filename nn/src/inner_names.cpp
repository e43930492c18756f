#include "inner_names.hpp"

#include <set>

#include "clmx/devices/error.hpp"

namespace clmx {

std::map<std::string, std::string> inner_names(const std::vector<std::string>& names,
                                               const std::string& where) {
  constexpr std::string_view inner = "inner.";
  const std::set<std::string> all(names.begin(), names.end());
  std::map<std::string, std::string> renamed;
  for (const std::string& name : names) {
    const std::size_t at = name.rfind(inner);
    if (at == std::string::npos || (at > 0 && name[at - 1] != '.')) continue;
    const std::string parent = name.substr(0, at), key = name.substr(at + inner.size());
    if ((key != "weight" && key != "bias") || !all.contains(parent + "scales")) continue;
    if (all.contains(parent + key)) {
      throw FormatError(where, 0, join("holds both ", name, " and ", parent, key));
    }
    renamed.emplace(name, parent + key);
  }
  return renamed;
}

}  // namespace clmx
