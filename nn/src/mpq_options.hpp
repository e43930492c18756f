#pragma once

#include <array>
#include <map>
#include <optional>
#include <string_view>

#include "clmx/nn/mpq_linear.hpp"

namespace clmx {

/// The options with -1 replaced and asym set as the kind of tensors wants.
MPQLinearOptions resolved(MPQLinearOptions options);
/// Throws ArgumentError naming every rule that resolved options violate.
void check_mpq_options(const MPQLinearOptions& options);

/// The tensors that are there for some layers only.
struct MpqMember {
  const char* name;
  std::optional<Array> MPQLinearTensors::*tensor;
};
inline constexpr std::array mpq_members{
    MpqMember{"qstatistic", &MPQLinearTensors::qstatistic},
    MpqMember{"qzeros_zeros", &MPQLinearTensors::qzeros_zeros},
    MpqMember{"qzeros_scales", &MPQLinearTensors::qzeros_scales},
    MpqMember{"qscales", &MPQLinearTensors::qscales},
    MpqMember{"qscales_zeros", &MPQLinearTensors::qscales_zeros},
    MpqMember{"qscales_scales", &MPQLinearTensors::qscales_scales},
    MpqMember{"qzeros", &MPQLinearTensors::qzeros},
    MpqMember{"scales", &MPQLinearTensors::scales},
    MpqMember{"bias", &MPQLinearTensors::bias}};

struct TensorForm {
  DType dtype = DType::f16;
  Shape shape = {};
  float value = 0;  ///< of all elements in a new layer
};
using TensorForms = std::map<std::string_view, TensorForm>;
/// What the tensors of a layer are, by name; all but g_idx.
TensorForms tensor_forms(const MPQLinearOptions& options);
/// Those of a new layer. Throws ArgumentError when there is no memory for them.
MPQLinearTensors initial_tensors(const MPQLinearOptions& options);
/// i / group_size.
Array initial_g_idx(const MPQLinearOptions& options);

/// Whether it is a symmetric GBA layer.
inline bool is_symmetric(const MPQLinearOptions& options) {
  return options.use_gba_quant && !options.asym;
}

}  // namespace clmx
