#include "shadow_tap.hpp"

#include <algorithm>
#include <cmath>

#include "clmx/devices/error.hpp"
#include "reference.hpp"
#include "shadow_cache.hpp"
#include "shadow_choice.hpp"

namespace clmx {
namespace {

/// Their float64 sum or product; the references of these two round as kernels do.
DoubleArray elementwise(const Doubles& in, bool sum) {
  const Shape shape = broadcast(in[0].shape, in[1].shape, "compare");
  require(in[0].shape == shape && in[1].shape == shape, "compare",
          "a model's sums and products have equal shapes here, not ", in[0].shape, " and ",
          in[1].shape);
  DoubleArray out = in[0];
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const double b = in[1].values[i];
    out.values[i] = sum ? out.values[i] + b : out.values[i] * b;
  }
  return out;
}

DoubleArray as_shadow(Expected expected) {
  return {expected.shape, DType::f32, std::move(expected.values)};
}

DoubleArray exact_result(const std::string& name, const std::any& options, const Doubles& in) {
  if (name == "add" || name == "multiply") return elementwise(in, name == "add");
  return as_shadow(op_named(name).reference(in, options).front());
}

/// |a - b| / |b|.
double distance(const DoubleArray& a, const DoubleArray& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    difference += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
    size += b.values[i] * b.values[i];
  }
  return size > 0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

/// [a; b] along the rows of two matrices.
DoubleArray stacked(const DoubleArray& a, const DoubleArray& b) {
  DoubleArray both{a.shape.with(0, 2 * a.shape[0]), a.dtype, a.values};
  both.values.insert(both.values.end(), b.values.begin(), b.values.end());
  return both;
}

}  // namespace

const DoubleArray* ShadowTap::find(const Array& array) const {
  const auto found = shadows_.find(key_of(array));
  const bool same = found != shadows_.end() && found->second.array.size() == array.size();
  return same ? &found->second.values : nullptr;
}

const DoubleArray& ShadowTap::shadow_of(const Array& array) const {
  const DoubleArray* const found = find(array);
  require(found != nullptr, "compare", "an array has no shadow");
  return *found;
}

Doubles ShadowTap::shadows_of(std::span<const Array> inputs) const {
  Doubles all;
  for (const Array& input : inputs) {
    const DoubleArray* const shadow = find(input);
    all.push_back(shadow == nullptr ? widen(input)
                                    : DoubleArray{input.shape(), input.dtype(), shadow->values});
  }
  return all;
}

void ShadowTap::op(std::string_view name, const std::any& options, std::span<const Array> inputs,
                   const Array& output) {
  if (name == "kv_append") return append(options, inputs, output);
  if (name == "kv_append_rotated") return append_rotated(options, inputs, output);
  if (name == "cached_attention") return attend(options, inputs, output);
  const bool choice = (name == "argmax" || name == "topk") && find(inputs[0]) != nullptr;
  if (choice) return choose(std::string(name), options, inputs[0], output);
  const bool matrix = name == "quantized_matmul" && inputs[0].rank() == 2 && find(inputs[0]);
  if (matrix) return product(options, inputs, output);
  compute(std::string(name), options, inputs, output);
}

void ShadowTap::compute(const std::string& name, const std::any& options,
                        std::span<const Array> inputs, const Array& output) {
  const Op& op = op_named(name);
  const bool has_shadow =
      std::ranges::any_of(inputs, [&](const Array& input) { return find(input) != nullptr; });
  const Expected local = op.reference(widen(Inputs(inputs.begin(), inputs.end())), options).front();
  record(name, output, local,
         has_shadow ? exact_result(name, options, shadows_of(inputs)) : as_shadow(local));
}

// Both products in one, as decoding the weight costs most of it.
void ShadowTap::product(const std::any& options, std::span<const Array> inputs,
                        const Array& output) {
  Doubles in = widen(Inputs(inputs.begin(), inputs.end()));
  in[0] = stacked(in[0], *find(inputs[0]));
  Expected both = op_named("quantized_matmul").reference(in, options).front();
  const auto half = static_cast<std::ptrdiff_t>(both.values.size() / 2);
  DoubleArray shadow{output.shape(), DType::f32, {both.values.begin() + half, both.values.end()}};
  both.shape = output.shape();
  both.values.resize(static_cast<std::size_t>(half));
  both.budget.resize(static_cast<std::size_t>(half));
  record("quantized_matmul", output, both, std::move(shadow));
}

void ShadowTap::choose(const std::string& name, const std::any& options, const Array& input,
                       const Array& output) {
  const Op& op = op_named(name);
  const DoubleArray exact = shadows_of({&input, 1}).front();
  const std::vector<Expected> local = op.reference({widen(input)}, options);
  const std::vector<Expected> wanted = op.reference({exact}, options);
  // topk tells the tap its values only; from them follows what it chose.
  const bool ids_alone = name == "argmax";
  const std::vector<double> got = ids_alone ? widen(output).values : local.back().values;
  choices_ += rows_in(exact);
  for (ChoiceFlip& flip : flips_between(exact, got, wanted.back().values)) {
    flip.part = part_;
    flip.op = name;
    flips_.push_back(std::move(flip));
  }
  record(name, output, local.front(),
         ids_alone ? as_shadow(local.front()) : taken(exact, got, local.front().shape));
}

void ShadowTap::put(const DoubleArray& keys, const DoubleArray& values, std::int64_t length,
                    const Array& stored) {
  Cache& cache = caches_[part_];
  if (cache.keys.shape != stored.shape()) {
    cache.keys = resized(cache.keys, stored.shape(), length);
    cache.values = resized(cache.values, stored.shape(), length);
  }
  write_rows(cache.keys, keys, length);
  write_rows(cache.values, values, length);
}

void ShadowTap::append(const std::any& options, std::span<const Array> inputs, const Array& keys) {
  const auto& given = std::any_cast<const KVAppendOptions&>(options);
  require(given.layout == AttentionLayout::bthd, "compare", "a cache is filled by [b, t, h, d]");
  const Doubles exact = shadows_of(inputs);
  put(exact[0], exact[1], given.length, keys);
}

void ShadowTap::append_rotated(const std::any& options, std::span<const Array> inputs,
                               const Array& keys) {
  const auto& given = std::any_cast<const KVAppendOptions&>(options);
  const Doubles tables{widen(inputs[1]), widen(inputs[2])};
  const Rotated own = rotated(widen(inputs[0]), tables, given, keys.shape());
  const Rotated exact = rotated(shadows_of(inputs)[0], tables, given, keys.shape());
  put(as_shadow(exact.keys), exact.values, given.length, keys);
  caches_[part_].queries = as_shadow(exact.queries);
  const DoubleArray written = rows_of(widen(keys), given.length, inputs[0].shape(1));
  ShadowOp seen{.part = part_, .op = "kv_append_rotated", .shape = join(inputs[0].shape())};
  seen.local.add(written, own.keys, false);
  seen.accumulated = distance(written, as_shadow(exact.keys));
  add(std::move(seen), written);
}

void ShadowTap::attend(const std::any& options, std::span<const Array> inputs,
                       const Array& output) {
  const Op& op = op_named("cached_attention");
  const Cache& cache = caches_[part_];
  Doubles exact = shadows_of(inputs);
  if (find(inputs[0]) == nullptr) exact[0].values = cache.queries.values;
  exact[1].values = cache.keys.values;
  exact[2].values = cache.values.values;
  const Expected local = op.reference(widen(Inputs(inputs.begin(), inputs.end())), options).front();
  record("cached_attention", output, local, as_shadow(op.reference(exact, options).front()));
}

void ShadowTap::record(const std::string& name, const Array& output, const Expected& local,
                       DoubleArray shadow) {
  require(local.shape == output.shape(), "compare", name, " gave ", output.shape(), " instead of ",
          local.shape);
  const DoubleArray got = widen(output);
  ShadowOp seen{.part = part_,
                .op = name,
                .shape = join(output.shape()),
                .accumulated = distance(got, shadow)};
  seen.local.add(got, local, false);
  add(std::move(seen), got);
  if (is_float(output.dtype()))
    shadows_.insert_or_assign(key_of(output), Shadow{output, std::move(shadow)});
}

void ShadowTap::add(ShadowOp seen, const DoubleArray& got) {
  seen.kernels = kernels_since_last_op();
  if (options_.seen) options_.seen(seen, got);
  ops_.push_back(std::move(seen));
}

std::string ShadowTap::kernels_since_last_op() const {
  if (!options_.profiled) return {};
  std::vector<std::string> names;
  for (const LaunchTime& launch : options_.profiled->take_profile()) {
    if (std::ranges::find(names, launch.kernel) == names.end()) names.push_back(launch.kernel);
  }
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

}  // namespace clmx
