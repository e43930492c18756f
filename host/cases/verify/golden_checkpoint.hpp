#pragma once

#include "golden_manifest.hpp"
#include "verify_golden.hpp"

namespace clmx {

/// The manifest's checkpoint, an MLX folder of model_type golden_tiny: embed, two blocks of h +=
/// down(silu(gate(h)) * up(h)), norm (eps 1e-5), tied head. Logits within tol max(1, |wanted|).
/// Throws FormatError when files are missing or wrong.
CaseResult run_checkpoint(const GoldenCheckpoint& checkpoint, const Stream& stream);

}  // namespace clmx
