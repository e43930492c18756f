#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clmx/host/tap.hpp"
#include "error_measure.hpp"
#include "shadow_choice.hpp"

namespace clmx {

/// One op of a run beside its float64 shadow.
struct ShadowOp {
  std::string part, op, shape;  ///< the module's path, the op, the shape of its result
  std::string kernels = {};     ///< that computed it, "a, b"; empty when they were not listened to
  ErrorMeasure local = {};      ///< against float64 of the op's own inputs
  double accumulated = 0;       ///< |result - shadow| / |shadow| (2-norms): the run's error so far
};

struct ShadowOptions {
  /// A stream with profiling on which the ops run: names their kernels.
  std::optional<Stream> profiled = {};
  /// Called for every op with what the device gave.
  std::function<void(const ShadowOp& op, const DoubleArray& result)> seen = {};
};

/// Runs a float64 model along: every op that reports to the tap is evaluated again by its
/// reference, once on the inputs that the device had and once on the float64 shadows of them.
/// Weights and ids have no shadow, they are widened as they are stored: where float64 would choose
/// other ids the flip is noted and the float64 run goes on with the device's choice. An op that has
/// no reference ends the run with an ArgumentError that names it.
class ShadowTap final : public Tap {
 public:
  explicit ShadowTap(ShadowOptions options = {}) : options_(std::move(options)) {}
  void op(std::string_view name, const std::any& options, std::span<const Array> inputs,
          const Array& output) override;
  void part(std::string_view path) override { part_ = path; }

  const std::vector<ShadowOp>& ops() const { return ops_; }
  const std::vector<ChoiceFlip>& flips() const { return flips_; }
  /// How many rows argmax and topk chose from.
  std::int64_t choices() const { return choices_; }
  /// The float64 run's values of a result. Throws ArgumentError when it is not one.
  const DoubleArray& shadow_of(const Array& array) const;

 private:
  struct Shadow {
    Array array;  ///< held, so that no other gets its storage
    DoubleArray values;
  };
  /// Keys and values of a layer, [batch, kv_heads, capacity, head_dim], and the queries that were
  /// rotated with them and not seen yet.
  struct Cache {
    DoubleArray keys, values, queries;
  };
  using Key = std::pair<const Storage*, std::int64_t>;

  static Key key_of(const Array& array) { return {array.storage(), array.offset()}; }
  const DoubleArray* find(const Array& array) const;
  Doubles shadows_of(std::span<const Array> inputs) const;
  void compute(const std::string& name, const std::any& options, std::span<const Array> inputs,
               const Array& output);
  void product(const std::any& options, std::span<const Array> inputs, const Array& output);
  void choose(const std::string& name, const std::any& options, const Array& input,
              const Array& output);
  void append(const std::any& options, std::span<const Array> inputs, const Array& keys);
  void append_rotated(const std::any& options, std::span<const Array> inputs, const Array& keys);
  void attend(const std::any& options, std::span<const Array> inputs, const Array& output);
  void put(const DoubleArray& keys, const DoubleArray& values, std::int64_t length,
           const Array& stored);
  void record(const std::string& name, const Array& output, const Expected& local,
              DoubleArray shadow);
  void add(ShadowOp seen, const DoubleArray& got);
  std::string kernels_since_last_op() const;

  ShadowOptions options_;
  std::string part_;
  std::vector<ShadowOp> ops_;
  std::vector<ChoiceFlip> flips_;
  std::int64_t choices_ = 0;
  std::map<Key, Shadow> shadows_;
  std::map<std::string, Cache> caches_;  // by part
};

}  // namespace clmx
