#pragma once

#include <map>

#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/module.hpp"
#include "inner_names.hpp"

namespace clmx {

/// Arrays in memory; their shapes and dtypes say what is quantized.
class ArraysCheckpoint final : public Checkpoint {
 public:
  /// Throws FormatError when two arrays have one name.
  explicit ArraysCheckpoint(const std::vector<NamedArray>& arrays);

  std::string where() const override { return "given arrays"; }
  std::vector<std::string> names() const override;
  bool has(const std::string& name) const override { return arrays_.contains(listed_as(name)); }
  std::string listed_as(const std::string& name) const override { return inner_.plain(name); }
  Array array(const std::string& name) const override;
  std::optional<QuantizedWeight> quantized(const std::string& path,
                                           std::int64_t in_features) const override;

 private:
  std::map<std::string, Array> arrays_;
  InnerNames inner_;
};

}  // namespace clmx
