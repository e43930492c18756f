// What reads and writes the parameters of a module: lists, files.
#include <map>
#include <set>

#include "arrays_checkpoint.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/checkpoint.hpp"
#include "path_visitor.hpp"

namespace clmx {
namespace {

class Lister final : public PathVisitor {
 public:
  Lister(std::vector<NamedArray>& found, bool only_trainable)
      : found_(found), only_trainable_(only_trainable) {}
  void enter(Module& module) override {
    const Module* const outer = module_;
    module_ = &module;
    module.visit(*this);
    module_ = outer;
  }
  void parameter(std::string_view name, Array& value) override { add(name, value); }
  void quantized(QuantizedWeight& value) override {
    each_part(value, [&](const char* name, const Array& part) { add(name, part); });
  }

 private:
  void add(std::string_view name, const Array& value) {
    if (only_trainable_ && module_->frozen(name)) return;
    found_.push_back({at(name), value});
  }
  std::vector<NamedArray>& found_;
  bool only_trainable_;
  const Module* module_ = nullptr;  // whose parameters come
};

/// Finds the tensor of each parameter; puts them in place when all are found.
class Loader final : public PathVisitor {
 public:
  explicit Loader(const Checkpoint& from) : from_(from) {}
  void parameter(std::string_view name, Array& value) override {
    const std::string full = at(name);
    if (!from_.has(full)) return missing(full);
    Array loaded = from_.array(full);
    require_kind(full, loaded, value);
    used_.insert(full);
    arrays_.emplace_back(&value, std::move(loaded));
  }
  void quantized(QuantizedWeight& value) override {
    if (!from_.has(at("weight"))) return missing(at("weight"));
    std::optional<QuantizedWeight> loaded = from_.quantized(path(), value.in_features());
    if (!loaded || loaded->out_features() != value.out_features() ||
        loaded->in_features() != value.in_features() || loaded->batch() != value.batch()) {
      throw FormatError(from_.where(), 0,
                        join("tensor ", at("weight"), " is not a quantized matrix of ",
                             value.out_features(), " x ", value.in_features()));
    }
    each_part(*loaded, [&](const char* name, const Array&) { used_.insert(at(name)); });
    weights_.emplace_back(&value, std::move(*loaded));
  }
  void extra(std::string_view name, std::optional<Array>& value) override {
    const std::string full = at(name);
    if (!from_.has(full)) return;
    used_.insert(full);
    extras_.emplace_back(&value, from_.array(full));
  }
  LoadReport report() const {
    LoadReport result{missing_, {}};
    for (const std::string& name : from_.names()) {
      if (!used_.contains(name)) result.unexpected.push_back(name);
    }
    return result;
  }
  void put_in_place() {
    for (auto& [place, value] : arrays_) *place = std::move(value);
    for (auto& [place, value] : weights_) *place = std::move(value);
    for (auto& [place, value] : extras_) *place = std::move(value);
  }

 private:
  // A file chooses among the float dtypes, not between floats, codes and indices.
  void require_kind(const std::string& name, const Array& loaded, const Array& value) const {
    const bool same_kind =
        is_float(value.dtype()) ? is_float(loaded.dtype()) : loaded.dtype() == value.dtype();
    if (loaded.shape() == value.shape() && same_kind) return;
    throw FormatError(from_.where(), 0,
                      join("tensor ", name, " is ", loaded.dtype(), ' ', loaded.shape(),
                           ", the model expects ", value.dtype(), ' ', value.shape()));
  }
  void missing(const std::string& name) { missing_.push_back(name); }
  const Checkpoint& from_;
  std::set<std::string> used_;
  std::vector<std::string> missing_;
  std::vector<std::pair<Array*, Array>> arrays_;
  std::vector<std::pair<QuantizedWeight*, QuantizedWeight>> weights_;
  std::vector<std::pair<std::optional<Array>*, Array>> extras_;
};

void require_all_stored(Module& root, std::string_view op) {
  root.walk([&](const std::string& path, Module& module) {
    try {
      module.require_stored(op);
    } catch (const ArgumentError& error) {
      if (path.empty()) throw;
      throw ArgumentError(join("layer ", path, ": ", error.what()));
    }
  });
}

std::vector<NamedArray> listed(Module& root, bool only_trainable) {
  std::vector<NamedArray> found;
  Lister(found, only_trainable).enter(root);
  return found;
}

}  // namespace

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

std::vector<NamedArray> Module::parameters() {
  return listed(*this, false);
}

std::vector<NamedArray> Module::trainable_parameters() {
  return listed(*this, true);
}

LoadReport Module::load_weights(const Checkpoint& from, Strictness strictness) {
  require_all_stored(*this, "load_weights");
  Loader loader(from);
  visit(loader);
  LoadReport report = loader.report();
  enforce(report, strictness, from.where());
  loader.put_in_place();
  walk([](const std::string&, Module& module) { module.loaded(); });
  return report;
}

LoadReport Module::load_weights(const std::filesystem::path& from, Strictness strictness) {
  return load_weights(*open_checkpoint(from), strictness);
}

LoadReport Module::load_weights(const std::vector<NamedArray>& from, Strictness strictness) {
  return load_weights(ArraysCheckpoint(from), strictness);
}

void Module::save_weights(const std::filesystem::path& file) {
  require_all_stored(*this, "save_weights");
  std::map<std::string, Array> arrays;
  for (NamedArray& parameter : parameters()) {
    require(arrays.emplace(parameter.name, parameter.value).second, "save_weights",
            "two parameters are named ", parameter.name);
  }
  save_safetensors(file, arrays, {{"format", "mlx"}});
}

}  // namespace clmx
