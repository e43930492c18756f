#include "arrays_checkpoint.hpp"

#include "clmx/devices/error.hpp"
#include "stored_weight.hpp"

namespace clmx {

ArraysCheckpoint::ArraysCheckpoint(const std::vector<NamedArray>& arrays) {
  for (const auto& [name, value] : arrays) {
    if (!arrays_.emplace(name, value).second)
      throw FormatError(where(), 0, "two tensors are named " + name);
  }
  inner_ = InnerNames(names());
  inner_.rename(arrays_);
}

std::vector<std::string> ArraysCheckpoint::names() const {
  std::vector<std::string> result;
  for (const auto& [name, value] : arrays_) result.push_back(name);
  return result;
}

Array ArraysCheckpoint::array(const std::string& name) const {
  const auto found = arrays_.find(listed_as(name));
  if (found == arrays_.end()) throw FormatError(where(), 0, "tensor " + name + " is missing");
  return found->second;
}

std::optional<QuantizedWeight> ArraysCheckpoint::quantized(const std::string& path,
                                                           std::int64_t in_features) const {
  if (!has(join_path(path, "scales"))) return std::nullopt;
  const Array packed = array(join_path(path, "weight")), scales = array(join_path(path, "scales"));
  if (packed.dtype() != DType::u32 || packed.shape().rank() < 2 ||
      scales.shape().rank() != packed.shape().rank()) {
    throw FormatError(where(), 0,
                      "tensor " + join_path(path, "weight") + " is not a quantized matrix");
  }
  return stored_weight(*this, path, {},
                       {true, scales.dtype() == DType::u8, packed.shape(-1), scales.shape(-1)},
                       in_features);
}

}  // namespace clmx
