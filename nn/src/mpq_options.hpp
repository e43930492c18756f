#pragma once

#include "clmx/nn/mpq_linear.hpp"

namespace clmx {

/// The options with -1 replaced and asym set as the kind of tensors wants.
MPQLinearOptions resolved(MPQLinearOptions options);
/// Throws ArgumentError naming every rule that resolved options violate.
void check_mpq_options(const MPQLinearOptions& options);
/// The tensors that a new layer of these options has.
MPQLinearTensors initial_tensors(const MPQLinearOptions& options);

/// Whether it is a symmetric GBA layer.
inline bool is_symmetric(const MPQLinearOptions& options) {
  return options.use_gba_quant && !options.asym;
}

}  // namespace clmx
