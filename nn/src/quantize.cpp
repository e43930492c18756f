#include "clmx/nn/quantize.hpp"

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

class Quantizer final : public Visitor {
 public:
  /// must_convert: whether a layer that the predicate names has to have a quantized form.
  Quantizer(const QuantizePredicate& predicate, bool must_convert, StreamOrDevice s)
      : predicate_(predicate), must_convert_(must_convert), s_(s) {}
  void parameter(std::string_view, Array&) override {}
  void quantized(QuantizedWeight&) override {}
  void child(std::string_view name, Module& module) override {
    const std::string outer = path_;
    path_ = join_path(path_, name);
    module.visit(*this);
    path_ = outer;
  }
  void slot(std::string_view name, SlotBase& slot) override {
    if (slot.module() == nullptr) return;
    const std::string path = join_path(path_, name);
    const bool leaf = !slot.module()->always_frozen();
    const auto params = leaf ? predicate_(path, *slot.module()) : std::nullopt;
    if (!params) return child(name, *slot.module());
    std::unique_ptr<Module> replacement = converted(path, *slot.module(), *params);
    if (replacement == nullptr) return child(name, *slot.module());
    slot.replace(std::move(replacement));
    ++replaced_;
  }
  int replaced() const { return replaced_; }

 private:
  std::unique_ptr<Module> converted(const std::string& path, const Module& layer,
                                    const QuantizationParams& params) {
    std::unique_ptr<Module> result;
    try {
      result = layer.to_quantized(params, s_);
    } catch (const ArgumentError& error) {
      throw ArgumentError(join("[quantize] layer ", path, ": ", error.what()));
    }
    require(result != nullptr || !must_convert_, "quantize", "layer ", path,
            " has no quantized form");
    return result;
  }

  const QuantizePredicate& predicate_;
  bool must_convert_;
  StreamOrDevice s_;
  std::string path_;
  int replaced_ = 0;
};

}  // namespace

int quantize(Module& root, const QuantizationParams& params, StreamOrDevice s) {
  const QuantizePredicate all = [&](std::string_view, const Module&) {
    return std::optional(params);
  };
  Quantizer quantizer(all, false, s);
  root.visit(quantizer);
  return quantizer.replaced();
}

int quantize_by(Module& root, const QuantizePredicate& predicate, StreamOrDevice s) {
  Quantizer quantizer(predicate, true, s);
  root.visit(quantizer);
  return quantizer.replaced();
}

}  // namespace clmx
