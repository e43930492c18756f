#include "clmx/nn/module.hpp"

#include <algorithm>

#include "clmx/host/ops_quantized.hpp"
#include "clmx/nn/quantizable.hpp"
#include "path_visitor.hpp"

namespace clmx {
namespace {

/// The names of one module's own parameters.
class OwnKeys final : public Visitor {
 public:
  explicit OwnKeys(std::vector<std::string>& keys) : keys_(keys) {}
  void parameter(std::string_view name, Array& /*value*/) override { keys_.emplace_back(name); }
  void quantized(QuantizedWeight& value) override {
    each_part(value, [&](const char* name, const Array&) { keys_.emplace_back(name); });
  }
  void child(std::string_view /*name*/, Module& /*module*/) override {}
  void slot(std::string_view /*name*/, SlotBase& /*slot*/) override {}

 private:
  std::vector<std::string>& keys_;
};

class Walker final : public PathVisitor {
 public:
  explicit Walker(const ModuleAction& action) : action_(action) {}
  void enter(Module& module) override {
    action_(path(), module);
    module.visit(*this);
  }
  void slot(std::string_view name, SlotBase& slot) override {
    if (slot.module() == nullptr) return;
    within(name, [&] {
      action_(path(), *slot.module());
      // The action may have put another layer there.
      if (Module* const now = slot.module()) now->visit(*this);
    });
  }

 private:
  const ModuleAction& action_;
};

/// Those directly below.
class Children final : public PathVisitor {
 public:
  explicit Children(std::vector<NamedModule>& found) : found_(found) {}
  void child(std::string_view name, Module& module) override {
    found_.push_back({at(name), &module});
  }

 private:
  std::vector<NamedModule>& found_;
};

/// Puts a layer into the slot at a path.
class Replacer final : public PathVisitor {
 public:
  Replacer(std::string_view target, std::unique_ptr<Module> layer)
      : target_(target), layer_(std::move(layer)) {}
  void slot(std::string_view name, SlotBase& slot) override {
    if (at(name) != target_ || !layer_) return PathVisitor::slot(name, slot);
    require(slot.accepts(layer_.get()), "replace", target_, " does not take ", layer_->describe());
    slot.replace(std::move(layer_));
  }
  bool done() const { return !layer_; }

 private:
  std::string_view target_;
  std::unique_ptr<Module> layer_;
};

/// Copies the parameters of one module and what is below it.
class Copier final : public Visitor {
 public:
  explicit Copier(const Stream& stream) : stream_(stream) {}
  void parameter(std::string_view /*name*/, Array& value) override { copy_array(value, stream_); }
  void quantized(QuantizedWeight& value) override { copy_weight(value, stream_); }
  void child(std::string_view /*name*/, Module& module) override { module.copy_to(stream_); }
  void slot(std::string_view /*name*/, SlotBase& slot) override {
    if (const Module* const module = slot.module()) module->copy_to(stream_);
  }

 private:
  const Stream& stream_;
};

/// The modules that freezing concerns: one, or it and all below.
std::vector<Module*> concerned(Module& root, bool recursive) {
  std::vector<Module*> modules;
  if (!recursive) return {&root};
  root.walk([&](const std::string&, Module& module) { modules.push_back(&module); });
  return modules;
}

bool contains(std::span<const std::string> keys, const std::string& key) {
  return std::ranges::find(keys, key) != keys.end();
}

void require_keys(std::span<const std::string> own, std::span<const std::string> wanted,
                  const Module& module, const char* op) {
  for (const std::string& key : wanted) {
    require(contains(own, key), op, module.describe(), " has no parameter '", key, "'");
  }
}

}  // namespace

std::vector<std::string> Module::own_keys() {
  std::vector<std::string> keys;
  OwnKeys visitor(keys);
  visit(visitor);
  return keys;
}

void Module::freeze_all(bool recursive) {
  for (Module* module : concerned(*this, recursive)) {
    const std::vector<std::string> keys = module->own_keys();
    module->frozen_keys_.insert(keys.begin(), keys.end());
  }
}

void Module::unfreeze_all(bool recursive) {
  for (Module* module : concerned(*this, recursive)) module->frozen_keys_.clear();
}

void Module::freeze(std::span<const std::string> keys, bool recursive, bool strict) {
  const std::vector<Module*> modules = concerned(*this, recursive);
  for (Module* module : modules) {
    if (strict) require_keys(module->own_keys(), keys, *module, "freeze");
  }
  for (Module* module : modules) {
    for (const std::string& key : module->own_keys()) {
      if (contains(keys, key)) module->frozen_keys_.insert(key);
    }
  }
}

void Module::unfreeze(std::span<const std::string> keys, bool recursive, bool strict) {
  const std::vector<Module*> modules = concerned(*this, recursive);
  for (Module* module : modules) {
    if (strict) require_keys(module->own_keys(), keys, *module, "unfreeze");
  }
  for (Module* module : modules) {
    for (const std::string& key : keys) module->frozen_keys_.erase(key);
  }
}

void Module::freeze(std::initializer_list<std::string> keys, bool recursive, bool strict) {
  freeze(std::span(keys.begin(), keys.size()), recursive, strict);
}

void Module::unfreeze(std::initializer_list<std::string> keys, bool recursive, bool strict) {
  unfreeze(std::span(keys.begin(), keys.size()), recursive, strict);
}

void Module::freeze(std::string_view key, bool recursive, bool strict) {
  freeze({std::string(key)}, recursive, strict);
}

void Module::unfreeze(std::string_view key, bool recursive, bool strict) {
  unfreeze({std::string(key)}, recursive, strict);
}

bool Module::always_frozen(std::string_view /*key*/) const {
  return dynamic_cast<const Quantized*>(this) != nullptr;
}

bool Module::frozen(std::string_view key) const {
  return always_frozen(key) || frozen_keys_.contains(key);
}

void Module::take_modes(const Module& from) {
  frozen_keys_ = from.frozen_keys_;
  training_ = from.training_;
}

void Module::training_mode(bool on) {
  walk([on](const std::string&, Module& module) { module.training_ = on; });
}

void Module::walk(const ModuleAction& action) {
  Walker(action).enter(*this);
}

void Module::walk(const ConstModuleAction& action) const {
  for (const NamedModule& each : looked_at(*this).modules()) action(each.path, *each.module);
}

Module* Module::find(std::string_view path) {
  Module* found = nullptr;
  walk([&](const std::string& at, Module& module) {
    if (at == path) found = &module;
  });
  return found;
}

std::vector<NamedModule> Module::modules() {
  std::vector<NamedModule> found;
  walk([&](const std::string& path, Module& module) { found.push_back({path, &module}); });
  return found;
}

std::vector<NamedModule> Module::children() {
  std::vector<NamedModule> found;
  Children visitor(found);
  visit(visitor);
  return found;
}

std::vector<NamedModule> Module::leaf_modules() {
  std::vector<NamedModule> found = modules();
  std::erase_if(found, [](const NamedModule& each) { return !each.module->children().empty(); });
  return found;
}

void Module::replace(std::string_view path, std::unique_ptr<Module> layer) {
  require(layer != nullptr, "replace", "no layer is given for ", path);
  Replacer replacer(path, std::move(layer));
  visit(replacer);
  require(replacer.done(), "replace", "there is no slot '", path, "'");
}

void Module::copy_to(const Stream& stream) const {
  Copier copier(stream);
  looked_at(*this).visit(copier);
}

void Module::to(StreamOrDevice s) {
  copy_to(s.resolve());
}

std::string Module::description() const {
  std::string text;
  walk([&](const std::string& path, const Module& module) {
    if (!path.empty()) text += "  " + path + ": ";
    text += module.describe() + '\n';
  });
  return text;
}

}  // namespace clmx
