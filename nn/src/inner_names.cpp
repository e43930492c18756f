#include "inner_names.hpp"

#include <set>
#include <string_view>

namespace clmx {

InnerNames::InnerNames(const std::vector<std::string>& names) {
  constexpr std::string_view inner = "inner.";
  const std::set<std::string> all(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::size_t at = name.rfind(inner);
    if (at == std::string::npos || (at > 0 && name[at - 1] != '.')) continue;
    const std::string parent = name.substr(0, at), key = name.substr(at + inner.size());
    if ((key != "weight" && key != "bias") || !all.contains(parent + "scales")) continue;
    if (!all.contains(parent + key)) renamed_.emplace(name, parent + key);
  }
}

const std::string& InnerNames::plain(const std::string& name) const {
  const auto found = renamed_.find(name);
  return found == renamed_.end() ? name : found->second;
}

}  // namespace clmx
