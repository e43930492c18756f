#include "attention_mask.hpp"

#include "checks.hpp"

namespace clmx {
namespace {

constexpr const char* op = "scaled_dot_product_attention";
constexpr int mask_seen = 1, mask_added = 2;  // of cl/common/attention_mask.clh

void check_narrow(const Array& x, DType result, const char* name) {
  require_float(x, op, name);
  require(promote(result, x.dtype()) == result, op, name, " are ", x.dtype(),
          ", which would widen the result, ", result);
}

/// The steps of a mask along the axes of the scores, 0 where it repeats.
std::array<std::int64_t, 4> steps_of(const Array& mask, const Shape& scores) {
  require(mask.rank() <= 4, op, "mask must have at most 4 axes, its shape is ", mask.shape());
  std::array<std::int64_t, 4> steps{};
  std::int64_t step = 1;
  for (int back = 1; back <= mask.rank(); back++) {
    const std::int64_t size = mask.shape(-back);
    require(size == 1 || size == scores[-back], op, "mask has shape ", mask.shape(),
            ", which does not broadcast to ", scores);
    if (size > 1) steps[static_cast<std::size_t>(4 - back)] = step;
    step *= size;
  }
  return steps;
}

DType type_of(const std::optional<Array>& array) {
  return array ? array->dtype() : DType::f32;
}

BufferArgument argument(const std::optional<Array>& array, const Stream& stream) {
  return array ? array->on(stream) : BufferArgument{};
}

}  // namespace

AttentionMask::AttentionMask(const AttentionOptions& options, const Shape& scores, DType result)
    : mask_(options.mask), sinks_(options.sinks), window_(options.window.value_or(0)) {
  if (mask_) {
    if (mask_->dtype() != DType::u8) check_narrow(*mask_, result, "the elements of mask");
    steps_ = steps_of(*mask_, scores);
  }
  if (sinks_) {
    check_narrow(*sinks_, result, "sinks");
    require(sinks_->shape() == Shape{scores[1]}, op, "sinks must have shape [", scores[1],
            "], not ", sinks_->shape());
  }
  if (!options.window) return;
  require(window_ > 0, op, "window must be positive, not ", window_);
  require(options.causal, op, "a window needs causal");
  windowed_ = window_ < scores[3];
}

void AttentionMask::add_constants(Constants& constants) const {
  const int kind = !mask_ ? 0 : mask_->dtype() == DType::u8 ? mask_seen : mask_added;
  for (const Constant& constant : Constants{{"MASK", kind},
                                            {"M", type_of(mask_)},
                                            {"S", type_of(sinks_)},
                                            {"SINKS", sinks_.has_value()},
                                            {"WINDOW", windowed_}})
    constants.push_back(constant);
}

void AttentionMask::add_arguments(std::vector<KernelArgument>& arguments,
                                  const Stream& stream) const {
  arguments.push_back(argument(mask_, stream));
  for (const std::int64_t step : steps_) arguments.push_back(step);
  arguments.push_back(argument(sinks_, stream));
  arguments.push_back(window_);
}

}  // namespace clmx
