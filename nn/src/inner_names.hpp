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
  const std::map<std::string, std::string>& renamed() const { return renamed_; }

 private:
  std::map<std::string, std::string> renamed_;
};

}  // namespace clmx
