#include <algorithm>

#include "attention_mask.hpp"
#include "checks.hpp"
#include "clmx/host/ops_transformer.hpp"
#include "launch.hpp"
#include "loop_limit.hpp"
#include "ops_transformer_tuning.hpp"

namespace clmx {
namespace {

constexpr const char* op = "scaled_dot_product_attention";
constexpr std::int64_t keys_per_block = 64;
constexpr std::int64_t most_keys = std::int64_t{1} << 31;  // what the kernels' stack holds

/// Sizes, and the steps of cl/common/attention.clh in whole vectors.
struct AttentionShape {
  std::int64_t batch, heads, kv_heads, group, queries, keys, dim, dim_v;
  std::int64_t q_head, q_row, kv_head, kv_row, kv_batch;
  bool causal;
  float scale;

  std::int64_t rows_per_head() const { return group * queries; }
  std::int64_t rows() const { return batch * kv_heads * rows_per_head(); }
};

void check_operand(const Array& x, const char* name) {
  require_float(x, op, name);
  require(x.rank() == 4, op, name, " must have 4 axes, its shape is ", x.shape());
}

/// How many keys count of those that are there.
std::int64_t counted_keys(const AttentionOptions& options, std::int64_t there) {
  const std::int64_t keys = options.kv_length.value_or(there);
  require(0 <= keys && keys <= there, op, "kv_length is ", keys, ", there are ", there, " keys");
  return keys;
}

/// `length`: positions of k and v that are there; absent: all they have room for.
AttentionShape attention_shape(const Array& q, const Array& k, const Array& v,
                               std::optional<std::int64_t> length, const AttentionOptions& options,
                               AttentionLayout kv_layout) {
  check_operand(q, "q");
  check_operand(k, "k");
  check_operand(v, "v");
  const bool q_bhtd = options.layout == AttentionLayout::bhtd;
  const bool kv_bhtd = kv_layout == AttentionLayout::bhtd;
  const std::int64_t heads = q.shape(q_bhtd ? 1 : 2), queries = q.shape(q_bhtd ? 2 : 1);
  const std::int64_t kv_heads = k.shape(kv_bhtd ? 1 : 2), room = k.shape(kv_bhtd ? 2 : 1);
  require(k.shape(0) == q.shape(0) && k.shape(3) == q.shape(3), op, "q has shape ", q.shape(),
          ", k has ", k.shape(), ": batch and head size must be equal");
  require(v.shape().slice(0, 3) == k.shape().slice(0, 3), op, "k has shape ", k.shape(), ", v has ",
          v.shape(), ": they may differ in the last axis only");
  require(kv_heads > 0 && heads % kv_heads == 0, op, heads, " query heads cannot share ", kv_heads,
          " key heads");
  require(q.shape(3) > 0, op, "the head size is 0");
  return {.batch = q.shape(0),
          .heads = heads,
          .kv_heads = kv_heads,
          .group = heads / kv_heads,
          .queries = queries,
          .keys = counted_keys(options, length.value_or(room)),
          .dim = q.shape(3),
          .dim_v = v.shape(3),
          .q_head = q_bhtd ? queries : 1,
          .q_row = q_bhtd ? 1 : heads,
          .kv_head = kv_bhtd ? room : 1,
          .kv_row = kv_bhtd ? 1 : kv_heads,
          .kv_batch = kv_heads * room,
          .causal = options.causal,
          .scale = options.scale};
}

/// The longest loops: over the keys twice for the weights, over the head size for the scores.
void check_turns(const Device& device, const AttentionShape& shape) {
  const std::int64_t blocks = shape.keys / keys_per_block + 1;
  require_turns(device, turns_of_sum(2 * shape.keys, blocks), op, "a number of keys", shape.keys);
  require_turns(device, shape.dim + 32, op, "a head size", shape.dim);
}

struct Operands {
  const Array &q, &k, &v;
  const AttentionMask& mask;
  Array& out;
};

/// A list of arguments, to which those of a mask may be added.
template <class... Args>
std::vector<KernelArgument> arguments(const Stream& stream, const Args&... args) {
  return {kernel_argument(stream, args)...};
}

Constants dtype_constants(const Operands& x) {
  return {{"Q", x.q.dtype()}, {"K", x.k.dtype()}, {"V", x.v.dtype()}, {"Y", x.out.dtype()}};
}

void launch_wide(const Stream& stream, const Operands& x, const AttentionShape& n,
                 const AttentionTuning& tuning) {
  const std::int64_t per_head = (n.rows_per_head() + tuning.tile - 1) / tuning.tile;
  const std::int64_t tiles = n.batch * n.kv_heads * per_head;
  const std::int64_t stride = (n.keys + keys_per_block - 1) / keys_per_block * keys_per_block;
  const std::int64_t items = std::min(tuning.work_items, tiles);
  const Array scores = Array::empty(Shape{items, tuning.tile, stride}, DType::f32, stream);
  Constants constants = dtype_constants(x);
  for (const Constant& constant :
       Constants{{"DIM", n.dim}, {"DIM_V", n.dim_v}, {"ROWS", tuning.tile}, {"WIDE", 1}})
    constants.push_back(constant);
  auto list = arguments(stream, x.q, x.k, x.v, x.out, scores, tiles, per_head, n.kv_heads, n.group,
                        n.queries, n.keys, n.q_head, n.q_row, n.kv_head, n.kv_row, n.kv_batch,
                        std::int32_t{n.causal}, n.scale, stride);
  const char* entry = x.mask.any() ? "sdpa_masked" : "sdpa";
  if (x.mask.any()) {
    x.mask.add_constants(constants);
    x.mask.add_arguments(list, stream);
  }
  const Kernel kernel = stream.device().kernel(
      {kernels(), x.mask.any() ? "sdpa_masked.cl" : "sdpa.cl", entry, std::move(constants)});
  stream.launch(kernel, Grid::groups(static_cast<std::size_t>(items)),
                std::span<const KernelArgument>(list));
}

void launch_plain(const Stream& stream, const Operands& x, const AttentionShape& n,
                  const AttentionTuning& tuning) {
  const std::int64_t stride = n.keys + 2;
  const Array scores = Array::empty(Shape{tuning.rows, stride}, DType::f32, stream);
  Constants constants = dtype_constants(x);
  constants.push_back({"WIDE", 0});
  x.mask.add_constants(constants);
  const auto kernel = [&](const char* entry) {
    return stream.device().kernel({kernels(), "sdpa_plain.cl", entry, constants});
  };
  const Kernel score = kernel("sdpa_scores"), weigh = kernel("sdpa_weights");
  const Kernel sum = kernel("sdpa_values");
  const std::int32_t causal = n.causal;
  for (std::int64_t begin = 0; begin < n.rows(); begin += tuning.rows) {
    const std::int64_t rows = std::min(tuning.rows, n.rows() - begin);
    const auto grid_of = [&](std::int64_t width) {
      Grid grid = Grid::linear(static_cast<std::size_t>(width), tuning.work_group);
      grid.global[1] = static_cast<std::size_t>(rows);
      return grid;
    };
    const auto enqueue = [&](const Kernel& kernel_of, const Grid& grid,
                             std::vector<KernelArgument> list) {
      x.mask.add_arguments(list, stream);
      stream.launch(kernel_of, grid, std::span<const KernelArgument>(list));
    };
    enqueue(
        score, grid_of(n.keys),
        arguments(stream, x.q, x.k, scores, begin, n.kv_heads, n.group, n.queries, n.keys, n.q_head,
                  n.q_row, n.kv_head, n.kv_row, n.kv_batch, causal, n.scale, n.dim, stride));
    enqueue(weigh, Grid::linear(static_cast<std::size_t>(rows), tuning.work_group),
            arguments(stream, scores, begin, rows, n.kv_heads, n.group, n.queries, n.keys, causal,
                      stride, 1.0f));
    enqueue(sum, grid_of(n.dim_v),
            arguments(stream, scores, x.v, x.out, begin, n.kv_heads, n.group, n.queries, n.keys,
                      n.q_head, n.q_row, n.kv_head, n.kv_row, n.kv_batch, n.dim_v, causal, stride));
  }
}

/// The layout-free sizes of the scores.
Shape scores_shape(const AttentionShape& n) {
  return {n.batch, n.heads, n.queries, n.keys};
}

Array attend(const Array& q, const Array& k, const Array& v, const AttentionShape& shape,
             const AttentionOptions& options, const StreamOrDevice& s) {
  const DType type = promote(promote(q.dtype(), k.dtype()), v.dtype());
  const AttentionMask mask(options, scores_shape(shape), type);
  const Stream stream = s.resolve();
  Array out = Array::empty(q.shape().with(3, shape.dim_v), type, stream);
  if (out.size() == 0) return out;
  if (shape.keys == 0) {
    const BufferArgument at = out.on(stream);
    stream.fill(at.buffer, at.offset * size_of(type), out.bytes(), 0);
    return out;
  }
  require(shape.keys <= most_keys, op, shape.keys, " keys are more than ", most_keys);
  check_turns(stream.device(), shape);
  const AttentionTuning tuning =
      choose_attention(stream.device().info(), {.heads = shape.batch * shape.kv_heads,
                                                .rows_per_head = shape.rows_per_head(),
                                                .keys = shape.keys,
                                                .largest_dim = std::max(shape.dim, shape.dim_v)});
  const Operands operands{q, k, v, mask, out};
  if (tuning.wide)
    launch_wide(stream, operands, shape, tuning);
  else
    launch_plain(stream, operands, shape, tuning);
  return out;
}

template <class Options>
Array tapped_attention(std::string_view name, const std::array<const Array*, 3>& qkv,
                       const AttentionOptions& given, const Options& options, const Array& out) {
  Tap* tap = current_tap();
  if (!tap) return out;
  std::vector<Array> inputs{*qkv[0], *qkv[1], *qkv[2]};
  if (given.mask) inputs.push_back(*given.mask);
  if (given.sinks) inputs.push_back(*given.sinks);
  tap->op(name, std::any(options), inputs, out);
  return out;
}

}  // namespace

Array scaled_dot_product_attention(const Array& q, const Array& k, const Array& v,
                                   const AttentionOptions& options, StreamOrDevice s) {
  const AttentionShape shape = attention_shape(q, k, v, {}, options, options.layout);
  return tapped_attention(op, {&q, &k, &v}, options, options, attend(q, k, v, shape, options, s));
}

Array scaled_dot_product_attention(const Array& q, const KVCache& cache,
                                   const AttentionOptions& options, StreamOrDevice s) {
  const Array &k = cache.keys(), &v = cache.values();
  const AttentionShape shape =
      attention_shape(q, k, v, cache.length(), options, AttentionLayout::bhtd);
  return tapped_attention("cached_attention", {&q, &k, &v}, options,
                          CachedAttentionOptions{options, cache.length()},
                          attend(q, k, v, shape, options, s));
}

}  // namespace clmx
