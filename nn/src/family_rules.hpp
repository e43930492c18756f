#pragma once

#include <string>

#include "clmx/nn/quantization_plan.hpp"

namespace clmx {

/// The layers of a model family that mlx-lm quantizes otherwise than the call says. family:
/// config.json's model_type. As the predicates of mlx-lm 0.32.2 say it (models/*.py,
/// quant_predicate), as far as a path alone decides: not those of muse_spark, nor what
/// bailing_moe_v3 says of its linear attention.
const QuantizationPlan& family_rules(const std::string& family);

/// Whether a family without "tie_word_embeddings" in its config.json has its head tied in mlx-lm.
bool is_tied_by_default(const std::string& family);

}  // namespace clmx
