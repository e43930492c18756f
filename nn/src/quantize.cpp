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
    replacements_.emplace_back(&slot, std::move(made));
  }
  void child(std::string_view name, Module& module) override {
    const std::string path = at(name);
    require(converted(path, module) == nullptr, op_, "layer ", path,
            " cannot be replaced: it is not in a slot");
    PathVisitor::child(name, module);
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
      throw ArgumentError(join("[", op_, "] layer ", path, ": ", error.what()));
    }
  }

  const char* op_;
  const Conversion& conversion_;
  std::vector<std::pair<SlotBase*, std::unique_ptr<Module>>> replacements_;
};

int convert(Module& root, const char* op, const Conversion& conversion) {
  Converter converter(op, conversion);
  root.visit(converter);
  return converter.replace_all();
}

bool is_leaf(Module& layer) {
  int modules = 0;
  layer.walk([&](const std::string&, Module&) { ++modules; });
  return modules == 1;
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
    if (quantized || !is_leaf(layer)) return std::unique_ptr<Module>();
    const auto wanted =
        predicate ? chosen(predicate(path, layer), params) : chosen(quantizable != nullptr, params);
    if (!wanted) return std::unique_ptr<Module>();
    require(quantizable != nullptr, "quantize", layer.describe(), " has no quantized form");
    return quantizable->to_quantized(*wanted, s);
  });
}

int quantize(Module& root, const QuantizationParams& params, StreamOrDevice s) {
  return quantize(root, params, QuantizePredicate{}, s);
}

int dequantize(Module& root, std::optional<DType> dtype, StreamOrDevice s) {
  return convert(root, "dequantize", [&](const std::string&, Module& layer) {
    const auto* const quantized = dynamic_cast<const Quantized*>(&layer);
    return quantized == nullptr ? nullptr : quantized->to_dense(dtype, s);
  });
}

}  // namespace clmx
