#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/devices/error.hpp"
#include "clmx/host/array.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

class Checkpoint;
class Module;

/// A child that quantize() may replace by another layer of the same kind.
class SlotBase {
 public:
  virtual ~SlotBase() = default;
  virtual Module* module() const = 0;  ///< null when empty
  /// Throws ArgumentError when the replacement is not of the slot's kind.
  virtual void replace(std::unique_ptr<Module> replacement) = 0;

 protected:
  SlotBase() = default;
  SlotBase(const SlotBase&) = default;
  SlotBase(SlotBase&&) = default;
  SlotBase& operator=(const SlotBase&) = default;
  SlotBase& operator=(SlotBase&&) = default;
};

/// What Module::visit names the parts to: parameters and children, in order.
class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void parameter(std::string_view name, Array& value) = 0;
  /// The parameters weight, scales and (affine) biases.
  virtual void quantized(QuantizedWeight& value) = 0;
  virtual void child(std::string_view name, Module& module) = 0;
  /// An empty slot is passed over.
  virtual void slot(std::string_view name, SlotBase& slot) = 0;

  /// An absent parameter is passed over.
  void optional_parameter(std::string_view name, std::optional<Array>& value) {
    if (value) parameter(name, *value);
  }
};

/// A parameter and its path from the root, in MLX's spelling: "layers.0.self_attn.q_proj.scales".
struct NamedArray {
  std::string name;
  Array value;
};

/// What loading accepts: nothing odd, tensors that no module asked for, or missing ones too.
enum class Strictness { strict, ignore_unexpected, lenient };

/// Parameters that the checkpoint lacks, and tensors of it that nothing used.
struct LoadReport {
  std::vector<std::string> missing, unexpected;
};

/// Throws FormatError naming the first odd tensor when the report is worse than allowed.
void enforce(const LoadReport& report, Strictness strictness, const std::string& file);

/// A part of a model: parameters, children and a forward of its own signature.
class Module {
 public:
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// Names its parameters and children, in MLX's order and spelling.
  virtual void visit(Visitor& v) = 0;
  /// The same layer over quantized weights; null when there is no such thing. Throws
  /// ArgumentError as quantize does.
  virtual std::unique_ptr<Module> to_quantized(const QuantizationParams& params,
                                               StreamOrDevice s = {}) const;
  /// Whether unfreeze leaves it frozen: layers over quantized weights.
  virtual bool always_frozen() const { return false; }

  std::vector<NamedArray> parameters();
  /// Those of modules that are not frozen.
  std::vector<NamedArray> trainable_parameters();
  void freeze(bool recursive = true);
  void unfreeze(bool recursive = true);
  bool frozen() const { return frozen_ || always_frozen(); }

  /// Replaces every parameter by the checkpoint's tensor of the same path. Throws FormatError for a
  /// tensor of another shape or kind, and for what strictness forbids.
  LoadReport load_weights(const Checkpoint& from, Strictness strictness = Strictness::strict);

 private:
  bool frozen_ = false;
};

/// An owning child.
template <std::derived_from<Module> T>
class Slot final : public SlotBase {
 public:
  Slot() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a layer is put into its slot as it is made.
  Slot(std::unique_ptr<T> layer) : layer_(std::move(layer)) {}
  T* operator->() const { return layer_.get(); }
  T& operator*() const { return *layer_; }
  explicit operator bool() const { return layer_ != nullptr; }
  Module* module() const override { return layer_.get(); }
  void replace(std::unique_ptr<Module> replacement) override {
    T* layer = dynamic_cast<T*>(replacement.get());
    require(layer != nullptr, "Slot", "the replacement is not a layer of the slot's kind");
    layer_.reset(layer);
    static_cast<void>(replacement.release());
  }

 private:
  std::unique_ptr<T> layer_;
};

/// "a.b" from "a" and "b"; empty parts add nothing.
std::string join_path(std::string_view parent, std::string_view name);

}  // namespace clmx
