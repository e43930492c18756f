#pragma once

#include <memory>
#include <set>
#include <string>

#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/embedding.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/norm.hpp"

namespace clmx {

/// Makes layers from a checkpoint's tensors, the class chosen by what is stored, and remembers
/// which it used. Every shape is checked: FormatError.
class Weights {
 public:
  explicit Weights(const Checkpoint& from) : from_(from) {}
  std::unique_ptr<LinearLayer> linear(const std::string& path, std::int64_t in, std::int64_t out);
  std::unique_ptr<EmbeddingLayer> embedding(const std::string& path, std::int64_t count,
                                            std::int64_t dims);
  std::unique_ptr<RMSNorm> norm(const std::string& path, std::int64_t width, float eps);
  bool has(const std::string& path) const { return from_.has(path + ".weight"); }
  /// A tensor that the model leaves out on purpose.
  void ignore(const std::string& path);
  /// The tensors that no layer used; nothing is missing, since that throws at once.
  LoadReport report() const;

 private:
  Array dense(const std::string& name, const Shape& shape);
  std::optional<QuantizedWeight> quantized(const std::string& path, std::int64_t rows,
                                           std::int64_t columns);
  const Checkpoint& from_;
  std::set<std::string> used_;
};

}  // namespace clmx
