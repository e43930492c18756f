#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "clmx/host/dtype.hpp"

namespace clmx::cli {

/// --dtype f32|f16|bf16: the type of activations.
inline void add_dtype_option(CLI::App& parser, std::string& dtype) {
  parser.add_option("--dtype", dtype, "Type of activations")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}));
}

/// The type that --dtype names.
inline DType dtype_from_string(const std::string& name) {
  return name == "f16" ? DType::f16 : name == "bf16" ? DType::bf16 : DType::f32;
}

}  // namespace clmx::cli
