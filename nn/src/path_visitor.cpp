#include "path_visitor.hpp"

#include <utility>

namespace clmx {

std::string join_path(std::string_view parent, std::string_view name) {
  std::string path(parent);
  if (!parent.empty() && !name.empty()) path += '.';
  return path += name;
}

void PathVisitor::enter(Module& module) {
  const Module* const outer = std::exchange(module_, &module);
  module.visit(*this);
  module_ = outer;
}

void PathVisitor::child(std::string_view name, Module& module) {
  within(name, [&] { enter(module); });
}

void PathVisitor::slot(std::string_view name, SlotBase& slot) {
  if (slot.module() != nullptr) child(name, *slot.module());
}

}  // namespace clmx
