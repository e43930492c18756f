#pragma once

#include <string>

#include "clmx/nn/module.hpp"

namespace clmx {

/// Follows children and filled slots, keeping the path: what walks over a model is made of it.
class PathVisitor : public Visitor {
 public:
  void parameter(std::string_view /*name*/, Array& /*value*/) override {}
  void quantized(QuantizedWeight& /*value*/) override {}
  void child(std::string_view name, Module& module) override;
  void slot(std::string_view name, SlotBase& slot) override;
  /// Called for each child, its path set; by itself goes on below it.
  virtual void enter(Module& module);

 protected:
  /// Does something with the path of a child.
  template <class Action>
  void within(std::string_view name, Action action) {
    const std::string outer = path_;
    path_ = at(name);
    action();
    path_ = outer;
  }
  std::string at(std::string_view name) const { return join_path(path_, name); }
  const std::string& path() const { return path_; }
  /// Whose parameters come, below what was entered.
  const Module& module() const { return *module_; }

 private:
  const Module* module_ = nullptr;
  std::string path_;
};

/// visit gives references, for loading; whoever uses this only looks at them.
inline Module& looked_at(const Module& module) {
  return const_cast<Module&>(module);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

/// Calls found(name, array) for each part that a quantized weight has.
template <class Found>
void each_part(const QuantizedWeight& weight, Found found) {
  found("weight", weight.packed());
  found("scales", weight.scales());
  if (weight.biases()) found("biases", *weight.biases());
  if (weight.global_scale()) found("global_scale", *weight.global_scale());
}

}  // namespace clmx
