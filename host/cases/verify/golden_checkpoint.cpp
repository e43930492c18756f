#include "golden_checkpoint.hpp"

#include <cmath>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "folder_checkpoint.hpp"
#include "golden_check.hpp"
#include "op_case.hpp"
#include "weights.hpp"

namespace clmx {
namespace {

constexpr float norm_eps = 1e-5f;

/// Rows of a matrix, however it is stored.
std::int64_t rows_of(const Checkpoint& from, const std::string& path) {
  const Array stored = from.array(path + ".weight");
  if (stored.rank() != 2) throw FormatError(from.where(), 0, path + ".weight is not a matrix");
  return stored.shape(0);
}

struct Block {
  std::unique_ptr<LinearLayer> gate, up, down;

  Array forward(const Array& h, const Stream& s) const {
    const Array inner = multiply(silu(gate->forward(h, s), s), up->forward(h, s), s);
    return add(h, down->forward(inner, s), s);
  }
};

Block load_block(Weights& weights, const Checkpoint& from, const std::string& path,
                 std::int64_t width) {
  const std::int64_t inner = rows_of(from, path + ".gate");
  return {weights.linear(path + ".gate", width, inner), weights.linear(path + ".up", width, inner),
          weights.linear(path + ".down", inner, width)};
}

Array logits_of(const Checkpoint& from, const Array& ids, const Stream& stream) {
  Weights weights(from);
  const std::int64_t width = from.array("norm.weight").size();
  const auto embed = weights.embedding("embed", rows_of(from, "embed"), width);
  const auto norm = weights.norm("norm", width, norm_eps);
  Array h = embed->forward(ids, stream);
  for (int i = 0; i < 2; ++i)
    h = load_block(weights, from, join("layers.", i), width).forward(h, stream);
  enforce(weights.report(), Strictness::strict, from.where());
  return embed->as_linear(norm->forward(h, stream), stream);
}

}  // namespace

CaseResult run_checkpoint(const GoldenCheckpoint& checkpoint, const Stream& stream) {
  const std::filesystem::path config = checkpoint.folder / "config.json";
  const FolderCheckpoint from(checkpoint.folder,
                              parse_quantization(read_text_if(config), config.string()));
  const SafetensorsFile expected(checkpoint.folder / checkpoint.expected);
  CaseResult result{.name = "logits", .outcome = Outcome::bit_equal};
  try {
    const Array got = logits_of(from, expected.array("ids"), stream);
    const DoubleArray wanted = widen(expected.array("logits"));
    GoldenReference reference{wanted.shape, wanted.dtype, wanted.values, {}};
    for (const double ref : wanted.values)
      reference.allowed.push_back(checkpoint.tol * std::max(1.0, std::abs(ref)));
    take_verdict(result, check_against(reference, got), "logits");
  } catch (const FormatError&) {
    throw;
  } catch (const Error& error) {
    result.outcome = Outcome::failed;
    result.what = error.what();
  }
  return result;
}

}  // namespace clmx
