#pragma once

#include <map>
#include <string>
#include <vector>

namespace clmx {

/// Tensor names as mlx-rs writes them, which keeps a dense layer inside a quantized one
/// (`a.inner.weight` beside `a.scales`), each with MLX's name for it (`a.weight`), unless a tensor
/// of that name is there too.
class InnerNames {
 public:
  InnerNames() = default;
  explicit InnerNames(const std::vector<std::string>& names);
  /// MLX's name of a tensor, or the name itself.
  const std::string& plain(const std::string& name) const;
  /// Puts what a map has by mlx-rs's names under MLX's.
  template <class Value>
  void rename(std::map<std::string, Value>& tensors) const {
    for (const auto& [name, plain] : renamed_) {
      auto node = tensors.extract(name);
      node.key() = plain;
      tensors.insert(std::move(node));
    }
  }

 private:
  std::map<std::string, std::string> renamed_;
};

}  // namespace clmx
