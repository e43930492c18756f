#pragma once

#include <concepts>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/devices/error.hpp"
#include "clmx/host/array.hpp"
#include "clmx/host/stream_or_device.hpp"
#include "clmx/nn/visitor.hpp"

namespace clmx {

class Checkpoint;

/// A parameter and its path from the root, in MLX's spelling: "layers.0.self_attn.q_proj.scales".
struct NamedArray {
  std::string name;
  Array value;
};

/// What loading accepts: nothing odd, tensors that no module asked for, missing ones, or both.
enum class Strictness { strict, ignore_unexpected, ignore_missing, lenient };

/// Parameters that the checkpoint lacks, and tensors of it that nothing used.
struct LoadReport {
  std::vector<std::string> missing, unexpected;
};

/// Throws FormatError naming the first odd tensor when the report is worse than allowed.
void enforce(const LoadReport& report, Strictness strictness, const std::string& file);

/// A module and its path from the root, whose own path is empty.
struct NamedModule {
  std::string path;
  Module* module;
};

/// What walk calls for each module.
using ModuleAction = std::function<void(const std::string& path, Module& module)>;
using ConstModuleAction = std::function<void(const std::string& path, const Module& module)>;

/// What apply puts in the place of a parameter.
using ParameterMap = std::function<Array(const std::string& name, const Array& value)>;

/// A part of a model: parameters, children and a forward of its own signature. Not for several
/// threads at once while it is being changed.
class Module {
 public:
  virtual ~Module() = default;

  /// Names its parameters and children, in MLX's order and spelling.
  virtual void visit(Visitor& v) = 0;
  /// A copy that has no layer in common with this one, frozen keys and mode of training included;
  /// arrays, which never change, are shared.
  virtual std::unique_ptr<Module> clone() const = 0;
  /// The class and what it was made with: "Linear(input_dims=64, output_dims=32, bias=true)".
  virtual std::string describe() const = 0;
  /// Whether unfreeze leaves its own parameter of that name frozen. By itself: every one of a layer
  /// over quantized weights (Quantized).
  virtual bool always_frozen(std::string_view key) const;
  /// Throws ArgumentError, naming the op, when its parameters are no longer what a file holds.
  virtual void require_stored(std::string_view /*op*/) const {}
  /// Throws ArgumentError when a file's tensor for this extra (see Visitor) does not fit; asked
  /// before load_weights replaces anything.
  virtual void check_extra(std::string_view /*name*/, const Array& /*value*/) const {}
  /// Called after load_weights has replaced its parameters.
  virtual void loaded() {}
  /// Puts on the stream's device what forward reads there. By itself: the parameters, quantized
  /// weights as products read them, and what the children read.
  virtual void copy_to(const Stream& stream) const;

  /// One line a module: its path and what it is.
  std::string description() const;
  std::vector<NamedArray> parameters() const;
  /// Those that are not frozen.
  std::vector<NamedArray> trainable_parameters() const;
  /// How many arrays parameters() has, as mlx-rs counts them.
  std::size_t num_parameters() const { return parameters().size(); }

  /// Marks parameters as not to be trained, recursive those of all modules below it too.
  void freeze() { freeze(true); }
  void unfreeze() { unfreeze(true); }
  // bool alone: a key is no `recursive`.
  template <std::same_as<bool> Flag>
  void freeze(Flag recursive) {
    freeze_all(recursive);
  }
  template <std::same_as<bool> Flag>
  void unfreeze(Flag recursive) {
    unfreeze_all(recursive);
  }
  /// Only those of these names: "bias". Throws ArgumentError, with nothing changed, when strict and
  /// one of the modules has no parameter of such a name.
  void freeze(std::span<const std::string> keys, bool recursive = true, bool strict = false);
  void unfreeze(std::span<const std::string> keys, bool recursive = true, bool strict = false);
  void freeze(std::initializer_list<std::string> keys, bool recursive = true, bool strict = false);
  void unfreeze(std::initializer_list<std::string> keys, bool recursive = true,
                bool strict = false);
  void freeze(std::string_view key, bool recursive = true, bool strict = false);
  void unfreeze(std::string_view key, bool recursive = true, bool strict = false);
  /// Whether this module's own parameter of that name is frozen.
  bool frozen(std::string_view key) const;
  /// Whether every parameter of it and of all below is; true when there is none.
  bool all_frozen() const { return trainable_parameters().empty(); }
  /// Whether at least one is.
  bool any_frozen() const { return trainable_parameters().size() < num_parameters(); }

  /// Tells it and all below whether they are being trained; true when made, as in MLX. No layer of
  /// clmx computes differently, a user's own may.
  void training_mode(bool on = true);
  bool training() const { return training_; }
  /// Takes the frozen keys and the mode of training of another one, which it replaces.
  void take_modes(const Module& from);

  /// Calls action for this module (path "") and all below it, parents first. The action may put
  /// other layers in the place of the one that it is called for or of those below, which then are
  /// walked over; not in the place of one above, nor add layers to one above.
  void walk(const ModuleAction& action);
  void walk(const ConstModuleAction& action) const;
  /// This module and all below it, parents first; only those directly below; only those without
  /// children of their own.
  std::vector<NamedModule> modules();
  std::vector<NamedModule> children();
  std::vector<NamedModule> leaf_modules();
  /// The module at a path, or null.
  Module* find(std::string_view path);
  /// Puts another layer into the slot at a path. Throws ArgumentError when there is no slot of that
  /// path or the layer is not of the slot's kind.
  void replace(std::string_view path, std::unique_ptr<Module> layer);

  /// Copies what every module's forward reads to the device before it is needed, also under
  /// CLMX_TRANSFERS=deny. Ops run where they are told to, not where weights are; weights that
  /// another device needs later are copied there as well.
  void to(StreamOrDevice s);

  /// Replaces every parameter by the checkpoint's tensor of the same path, all or none. Throws
  /// FormatError for a tensor of another shape or kind (a float takes any float dtype), and for
  /// what strictness forbids.
  LoadReport load_weights(const Checkpoint& from, Strictness strictness = Strictness::strict);
  /// From an MLX folder or a .safetensors file (see open_checkpoint).
  LoadReport load_weights(const std::filesystem::path& from,
                          Strictness strictness = Strictness::strict);
  /// From arrays by their paths, as parameters() lists them; Strictness::lenient replaces those
  /// that are given. The parts of a quantized weight come together (FormatError also when lenient);
  /// their shapes say how it is quantized.
  LoadReport load_weights(const std::vector<NamedArray>& from,
                          Strictness strictness = Strictness::strict);
  /// Puts map(name, value) in the place of every parameter, all or none. Throws FormatError when
  /// one has another shape or kind, as load_weights does, ArgumentError for a layer whose stored
  /// parameters were released.
  void apply(const ParameterMap& map);
  /// Casts every float parameter, in quantized weights the scales and biases of affine mode. A
  /// layer that computes in a dtype of its own (MPQLinear: f16) keeps it. Throws ArgumentError
  /// unless dtype is a float one.
  void set_dtype(DType dtype, StreamOrDevice s = {});
  /// All parameters by their paths in one safetensors file: written to a temporary name, synced and
  /// renamed. Throws FormatError when the disk refuses.
  void save_weights(const std::filesystem::path& file);

 protected:
  Module() = default;
  Module(const Module&) = default;
  Module(Module&&) = default;
  Module& operator=(const Module&) = default;
  Module& operator=(Module&&) = default;

 private:
  std::vector<std::string> own_keys();
  void freeze_all(bool recursive);
  void unfreeze_all(bool recursive);
  std::set<std::string, std::less<>> frozen_keys_;
  bool training_ = true;
};

/// An owning child. Copies clone the layer.
template <std::derived_from<Module> T>
class Slot final : public SlotBase {
 public:
  Slot() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a layer is put into its slot as it is made.
  Slot(std::unique_ptr<T> layer) : layer_(std::move(layer)) {}
  Slot(const Slot& other) : SlotBase(other) {
    if (other.layer_) replace(other.layer_->clone());
  }
  Slot(Slot&&) noexcept = default;
  Slot& operator=(const Slot& other) {
    if (this != &other) *this = Slot(other);
    return *this;
  }
  Slot& operator=(Slot&&) noexcept = default;
  ~Slot() override = default;

  T* operator->() const { return layer_.get(); }
  T& operator*() const { return *layer_; }
  explicit operator bool() const { return layer_ != nullptr; }
  Module* module() const override { return layer_.get(); }
  void replace(std::unique_ptr<Module> replacement) override {
    require(accepts(replacement.get()), "Slot",
            "the replacement is not a layer of the slot's kind");
    layer_.reset(dynamic_cast<T*>(replacement.release()));
  }
  bool accepts(const Module* layer) const override {
    return dynamic_cast<const T*>(layer) != nullptr;
  }

 private:
  std::unique_ptr<T> layer_;
};

/// "a.b" from "a" and "b"; empty parts add nothing.
std::string join_path(std::string_view parent, std::string_view name);

}  // namespace clmx
