#pragma once

#include <map>
#include <string>
#include <vector>

namespace clmx {

/// Tensor names as mlx-rs writes them, which keeps a dense layer inside a quantized one
/// (`a.inner.weight` beside `a.scales`), each with MLX's name for it (`a.weight`). where: for
/// messages. Throws FormatError when a tensor has both names.
std::map<std::string, std::string> inner_names(const std::vector<std::string>& names,
                                               const std::string& where);

}  // namespace clmx
