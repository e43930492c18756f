#include "clmx/nn/module.hpp"

#include <functional>
#include <set>

#include "clmx/nn/checkpoint.hpp"

namespace clmx {
namespace {

/// Follows children, keeping the path; subclasses see modules and parameters with it.
class PathVisitor : public Visitor {
 public:
  void child(std::string_view name, Module& module) override {
    const std::string outer = path_;
    path_ = join_path(path_, name);
    enter(module);
    path_ = outer;
  }
  void slot(std::string_view name, SlotBase& slot) override {
    if (slot.module() != nullptr) child(name, *slot.module());
  }

 protected:
  virtual void enter(Module& module) { module.visit(*this); }
  std::string at(std::string_view name) const { return join_path(path_, name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class Lister final : public PathVisitor {
 public:
  Lister(std::vector<NamedArray>& found, bool only_trainable)
      : found_(found), only_trainable_(only_trainable) {}
  void start(Module& root) { enter(root); }
  void parameter(std::string_view name, Array& value) override {
    if (listed_) found_.push_back({at(name), value});
  }
  void quantized(QuantizedWeight& value) override {
    if (!listed_) return;
    found_.push_back({at("weight"), value.packed()});
    found_.push_back({at("scales"), value.scales()});
    if (value.biases()) found_.push_back({at("biases"), *value.biases()});
  }

 private:
  void enter(Module& module) override {
    const bool outer = listed_;
    listed_ = !only_trainable_ || !module.frozen();
    module.visit(*this);
    listed_ = outer;
  }
  std::vector<NamedArray>& found_;
  bool only_trainable_;
  bool listed_ = true;
};

class EachModule final : public PathVisitor {
 public:
  explicit EachModule(std::function<void(Module&)> action) : action_(std::move(action)) {}
  void parameter(std::string_view, Array&) override {}
  void quantized(QuantizedWeight&) override {}

 private:
  void enter(Module& module) override {
    action_(module);
    module.visit(*this);
  }
  std::function<void(Module&)> action_;
};

class Loader final : public PathVisitor {
 public:
  explicit Loader(const Checkpoint& from) : from_(from) {}
  void parameter(std::string_view name, Array& value) override {
    const std::string full = at(name);
    if (!from_.has(full)) return missing(full);
    Array loaded = from_.array(full);
    if (loaded.shape() != value.shape()) {
      throw FormatError(from_.where(), 0,
                        join("tensor ", full, " has shape ", loaded.shape(), ", the model expects ",
                             value.shape()));
    }
    used_.insert(full);
    value = std::move(loaded);
  }
  void quantized(QuantizedWeight& value) override {
    if (!from_.has(at("weight"))) return missing(at("weight"));
    std::optional<QuantizedWeight> loaded = from_.quantized(path(), value.in_features());
    if (!loaded || loaded->out_features() != value.out_features() ||
        loaded->in_features() != value.in_features()) {
      throw FormatError(from_.where(), 0,
                        join("tensor ", at("weight"), " is not a quantized matrix of ",
                             value.out_features(), " x ", value.in_features()));
    }
    for (const char* part : {"weight", "scales", "biases"}) used_.insert(at(part));
    value = std::move(*loaded);
  }
  LoadReport report() const {
    LoadReport result{missing_, {}};
    for (const std::string& name : from_.names()) {
      if (!used_.contains(name)) result.unexpected.push_back(name);
    }
    return result;
  }

 private:
  void missing(const std::string& name) { missing_.push_back(name); }
  const Checkpoint& from_;
  std::set<std::string> used_;
  std::vector<std::string> missing_;
};

}  // namespace

std::string join_path(std::string_view parent, std::string_view name) {
  std::string path(parent);
  if (!parent.empty() && !name.empty()) path += '.';
  return path += name;
}

void enforce(const LoadReport& report, Strictness strictness, const std::string& file) {
  if (strictness != Strictness::lenient && !report.missing.empty()) {
    throw FormatError(file, 0,
                      join("tensor ", report.missing.front(), " is missing (",
                           report.missing.size(), " in all)"));
  }
  if (strictness == Strictness::strict && !report.unexpected.empty()) {
    throw FormatError(file, 0,
                      join("tensor ", report.unexpected.front(), " is not used by the model (",
                           report.unexpected.size(), " in all)"));
  }
}

std::unique_ptr<Module> Module::to_quantized(const QuantizationParams&, StreamOrDevice) const {
  return nullptr;
}

std::vector<NamedArray> Module::parameters() {
  std::vector<NamedArray> found;
  Lister(found, false).start(*this);
  return found;
}

std::vector<NamedArray> Module::trainable_parameters() {
  std::vector<NamedArray> found;
  Lister(found, true).start(*this);
  return found;
}

void Module::freeze(bool recursive) {
  frozen_ = true;
  EachModule each([](Module& module) { module.frozen_ = true; });
  if (recursive) visit(each);
}

void Module::unfreeze(bool recursive) {
  frozen_ = false;
  EachModule each([](Module& module) { module.frozen_ = false; });
  if (recursive) visit(each);
}

LoadReport Module::load_weights(const Checkpoint& from, Strictness strictness) {
  Loader loader(from);
  visit(loader);
  LoadReport report = loader.report();
  enforce(report, strictness, from.where());
  return report;
}

}  // namespace clmx
