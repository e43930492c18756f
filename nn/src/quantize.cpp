#include "clmx/nn/quantize.hpp"

#include "clmx/devices/error.hpp"
#include "path_visitor.hpp"

namespace clmx {
namespace {

/// Makes the replacement of a layer at a path; null: it stays.
using Conversion = std::function<std::unique_ptr<Module>(const std::string& path, Module& layer)>;

/// Converts first and replaces afterwards, so that an error leaves every layer in its place.
class Converter final : public PathVisitor {
 public:
  Converter(const char* op, const Conversion& conversion) : op_(op), conversion_(conversion) {}
  void slot(std::string_view name, SlotBase& slot) override {
    if (slot.module() == nullptr) return;
    const std::string path = at(name);
    std::unique_ptr<Module> made = converted(path, *slot.module());
    if (made == nullptr) return PathVisitor::child(name, *slot.module());
    require(slot.accepts(made.get()), op_, "layer ", path, ": its slot does not take ",
            made->describe());
    made->take_modes(*slot.module());
    replacements_.emplace_back(&slot, std::move(made));
  }
  void child(std::string_view name, Module& module) override {
    const std::string path = at(name);
    require(converted(path, module) == nullptr, op_, "layer ", path,
            " cannot be replaced: it is not in a slot");
    PathVisitor::child(name, module);
  }
  void root(Module& module) {
    require(converted("", module) == nullptr, op_, module.describe(),
            " is the model itself and cannot be put in its own place: take the result of ",
            "quantize(layer), to_quantized or to_dense");
    module.visit(*this);
  }
  int replace_all() {
    for (auto& [slot, layer] : replacements_) slot->replace(std::move(layer));
    return static_cast<int>(replacements_.size());
  }

 private:
  std::unique_ptr<Module> converted(const std::string& path, Module& layer) {
    try {
      return conversion_(path, layer);
    } catch (const ArgumentError& error) {
      if (path.empty()) throw;
      throw ArgumentError(join("[", op_, "] layer ", path, ": ", error.what()));
    }
  }

  const char* op_;
  const Conversion& conversion_;
  std::vector<std::pair<SlotBase*, std::unique_ptr<Module>>> replacements_;
};

int convert(Module& root, const char* op, const Conversion& conversion) {
  Converter converter(op, conversion);
  converter.root(root);
  return converter.replace_all();
}

/// What a layer has made of itself, which null is not.
std::unique_ptr<Module> given(std::unique_ptr<Module> made, const char* op, const Module& layer) {
  require(made != nullptr, op, layer.describe(), " gives no layer for its place");
  return made;
}

std::optional<QuantizationParams> chosen(const QuantizeChoice& choice,
                                         const QuantizationParams& params) {
  if (const auto* own = std::get_if<QuantizationParams>(&choice)) return *own;
  return std::get<bool>(choice) ? std::optional(params) : std::nullopt;
}

}  // namespace

int quantize(Module& root, const QuantizationParams& params, const QuantizePredicate& predicate,
             StreamOrDevice s) {
  return convert(root, "quantize", [&](const std::string& path, Module& layer) {
    const auto* const quantizable = dynamic_cast<const Quantizable*>(&layer);
    const bool quantized = dynamic_cast<const Quantized*>(&layer) != nullptr;
    if (quantized || !layer.children().empty()) return std::unique_ptr<Module>();
    const auto wanted =
        predicate ? chosen(predicate(path, layer), params) : chosen(quantizable != nullptr, params);
    if (!wanted) return std::unique_ptr<Module>();
    require(quantizable != nullptr, "quantize", layer.describe(), " has no quantized form");
    return given(quantizable->to_quantized(*wanted, s), "quantize", layer);
  });
}

int quantize(Module& root, const QuantizationParams& params, StreamOrDevice s) {
  return quantize(root, params, QuantizePredicate{}, s);
}

int quantize(Module& root, std::optional<int> group_size, std::optional<int> bits, ModeOrName mode,
             const QuantizePredicate& predicate, StreamOrDevice s) {
  return quantize(root, {mode.resolve("quantize"), group_size, bits}, predicate, s);
}

std::unique_ptr<Module> quantized_copy(const Module& layer, const QuantizationParams& params,
                                       StreamOrDevice s) {
  if (const auto* const quantizable = dynamic_cast<const Quantizable*>(&layer)) {
    std::unique_ptr<Module> made = given(quantizable->to_quantized(params, s), "quantize", layer);
    made->take_modes(layer);
    return made;
  }
  std::unique_ptr<Module> copy = layer.clone();
  const bool quantized = dynamic_cast<const Quantized*>(&layer) != nullptr;
  require(quantized || !copy->children().empty(), "quantize", layer.describe(),
          " has no quantized form");
  if (!quantized) quantize(*copy, params, s);
  return copy;
}

std::unique_ptr<Module> quantized_copy(const Module& layer, std::optional<int> group_size,
                                       std::optional<int> bits, ModeOrName mode, StreamOrDevice s) {
  return quantized_copy(layer, {mode.resolve("quantize"), group_size, bits}, s);
}

int dequantize(Module& root, std::optional<DType> dtype, StreamOrDevice s) {
  return convert(root, "dequantize", [&](const std::string&, Module& layer) {
    const auto* const quantized = dynamic_cast<const Quantized*>(&layer);
    return quantized == nullptr ? nullptr
                                : given(quantized->to_dense(dtype, s), "dequantize", layer);
  });
}

}  // namespace clmx
