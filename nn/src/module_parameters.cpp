// What reads and writes the parameters of a module: lists, files.
#include <map>
#include <set>

#include "arrays_checkpoint.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/checkpoint.hpp"
#include "path_visitor.hpp"

namespace clmx {
namespace {

class Lister final : public PathVisitor {
 public:
  Lister(std::vector<NamedArray>& found, bool only_trainable)
      : found_(found), only_trainable_(only_trainable) {}
  void parameter(std::string_view name, Array& value) override { add(name, value); }
  void quantized(QuantizedWeight& value) override {
    each_part(value, [&](const char* name, const Array& part) { add(name, part); });
  }

 private:
  void add(std::string_view name, const Array& value) {
    if (only_trainable_ && module().frozen(name)) return;
    found_.push_back({at(name), value});
  }
  std::vector<NamedArray>& found_;
  bool only_trainable_;
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
    use(full);
    arrays_.emplace_back(&value, std::move(loaded));
  }
  void quantized(QuantizedWeight& value) override {
    if (!from_.has(at("weight"))) return missing_weight(value);
    std::optional<QuantizedWeight> loaded = from_.quantized(path(), value.in_features());
    if (!loaded) refuse_weight(value, what_of(from_.array(at("weight"))) + " without scales");
    if (loaded->out_features() != value.out_features() ||
        loaded->in_features() != value.in_features() || loaded->batch() != value.batch()) {
      refuse_weight(value, what_of(*loaded));
    }
    each_part(*loaded, [&](const char* name, const Array&) { use(at(name)); });
    // The file's mode holds; in the same mode a scale for all is a part like the others.
    const bool same_mode = loaded->params().mode == value.params().mode;
    if (same_mode && value.global_scale() && !loaded->global_scale()) missing(at("global_scale"));
    weights_.emplace_back(&value, std::move(*loaded));
  }
  void extra(std::string_view name, std::optional<Array>& value) override {
    const std::string full = at(name);
    if (!from_.has(full)) return;
    use(full);
    extras_.emplace_back(&value, from_.array(full));
    check_extra(name, extras_.back().second);
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
    throw FormatError(
        from_.where(), 0,
        join("tensor ", name, " is ", what_of(loaded), ", the model expects ", what_of(value)));
  }
  void check_extra(std::string_view name, const Array& value) const {
    try {
      module().check_extra(name, value);
    } catch (const ArgumentError& error) {
      throw FormatError(from_.where(), 0, join("tensor ", at(name), ": ", error.what()));
    }
  }
  void missing_weight(const QuantizedWeight& value) {
    for (const char* part : {"scales", "biases", "global_scale"}) {
      if (!from_.has(at(part))) continue;
      throw FormatError(from_.where(), 0,
                        join("tensor ", at(part), " comes without ", at("weight"),
                             ": the parts of a quantized weight come together"));
    }
    each_part(value, [&](const char* name, const Array&) { missing(at(name)); });
  }
  [[noreturn]] void refuse_weight(const QuantizedWeight& wanted, const std::string& given) const {
    throw FormatError(
        from_.where(), 0,
        join("tensor ", at("weight"), " is ", given, ", the model expects ", what_of(wanted)));
  }
  static std::string what_of(const Array& array) { return join(array.dtype(), ' ', array.shape()); }
  static std::string what_of(const QuantizedWeight& weight) {
    const std::string stack = weight.batch().rank() == 0 ? "" : join(weight.batch(), " times ");
    return join("quantized, ", stack, weight.out_features(), " x ", weight.in_features());
  }
  void missing(const std::string& name) { missing_.push_back(name); }
  void use(const std::string& name) { used_.insert(from_.listed_as(name)); }
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

std::vector<NamedArray> listed(const Module& root, bool only_trainable) {
  std::vector<NamedArray> found;
  Lister(found, only_trainable).enter(looked_at(root));
  return found;
}

/// Every float parameter in a dtype; a quantized weight's codes and its global scale stay.
class Caster final : public PathVisitor {
 public:
  Caster(DType dtype, Stream stream) : dtype_(dtype), stream_(std::move(stream)) {}
  void parameter(std::string_view name, Array& value) override { add(name, value); }
  void quantized(QuantizedWeight& value) override {
    each_part(value, [&](std::string_view name, const Array& part) {
      if (name == "global_scale") return found_.push_back({at(name), part});  // f32 by definition
      add(name, part);
    });
  }
  const std::vector<NamedArray>& found() const { return found_; }

 private:
  void add(std::string_view name, const Array& value) {
    const bool casts = is_float(value.dtype()) && value.dtype() != dtype_;
    found_.push_back({at(name), casts ? cast(value, dtype_, stream_) : value});
  }
  DType dtype_;
  Stream stream_;
  std::vector<NamedArray> found_;
};

}  // namespace

void enforce(const LoadReport& report, Strictness strictness, const std::string& file) {
  const bool all = strictness == Strictness::strict;
  if ((all || strictness == Strictness::ignore_unexpected) && !report.missing.empty()) {
    throw FormatError(file, 0,
                      join("tensor ", report.missing.front(), " is missing (",
                           report.missing.size(), " in all)"));
  }
  if ((all || strictness == Strictness::ignore_missing) && !report.unexpected.empty()) {
    throw FormatError(file, 0,
                      join("tensor ", report.unexpected.front(), " is not used by the model (",
                           report.unexpected.size(), " in all)"));
  }
}

std::vector<NamedArray> Module::parameters() const {
  return listed(*this, false);
}

std::vector<NamedArray> Module::trainable_parameters() const {
  return listed(*this, true);
}

LoadReport Module::load_weights(const Checkpoint& from, Strictness strictness) {
  require_all_stored(*this, "load_weights");
  Loader loader(from);
  loader.enter(*this);
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

void Module::apply(const ParameterMap& map) {
  require_all_stored(*this, "apply");
  std::vector<NamedArray> mapped = parameters();
  for (NamedArray& each : mapped) each.value = map(each.name, each.value);
  load_weights(mapped);
}

void Module::set_dtype(DType dtype, StreamOrDevice s) {
  require(is_float(dtype), "set_dtype", "dtype must be a float one, not ", dtype);
  require_all_stored(*this, "set_dtype");
  Caster caster(dtype, s.resolve());
  visit(caster);
  load_weights(caster.found());
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
