// Products of every format, shape and kind of data, chosen so that each pair of choices occurs.
#include <algorithm>

#include "clmx/devices/error.hpp"
#include "covering.hpp"
#include "product_inputs.hpp"

namespace clmx {
namespace {

// ---- gather_qmm: x, weight, ..., lhs, rhs

Outputs run_gather(const Inputs& in, const GatherQmmOptions& o, const Stream& s) {
  std::size_t at = ProductPlaces{o.product}.rest();
  GatherIndices indices;
  if (o.has_lhs) indices.lhs = in[at++];
  if (o.has_rhs) indices.rhs = in[at];
  return {
      gather_qmm(in[0], product_weight(in, o.product), indices, product_options(in, o.product), s)};
}

std::vector<Expected> reference_gather(const Doubles& in, const GatherQmmOptions& o) {
  const std::size_t at = ProductPlaces{o.product}.rest();
  const DoubleArray* lhs = o.has_lhs ? &in[at] : nullptr;
  const DoubleArray* rhs = o.has_rhs ? &in[at + (o.has_lhs ? 1 : 0)] : nullptr;
  return {reference::gather_qmm(in[0], reference_weight(in, o.product), lhs, rhs,
                                reference_details(in, o.product))};
}

Cost cost_of_gather(const Inputs& in, const GatherQmmOptions& o) {
  const Shape &x = in[0].shape(), &w = in[1].shape();
  std::size_t at = ProductPlaces{o.product}.rest();
  const Shape left = o.has_lhs ? in[at++].shape() : x.slice(0, x.rank() - 2);
  const Shape right = o.has_rhs ? in[at].shape() : w.slice(0, w.rank() - 2);
  return product_cost(in, o.product,
                      static_cast<double>(broadcast(left, right, "cost").elements()));
}

std::function<Inputs()> gather_inputs(const Shape& x, const Array& rhs) {
  return [=] {
    Random random(5);
    Inputs inputs{random_array(Data::normal, DType::f32, x, random)};
    append_weight(inputs, {.rows = 4, .width = 128, .batch = {3}}, random);
    inputs.push_back(rhs);
    return inputs;
  };
}

const RegisterOp<GatherQmmOptions> gather_qmm_op{
    .name = "gather_qmm",
    .run = run_gather,
    .reference = reference_gather,
    .cost = cost_of_gather,
    .rejected = {{"an index past the end", GatherQmmOptions{.has_rhs = true},
                  gather_inputs({1, 2, 128}, array_of({3}, DType::u32, {1}))},
                 {"a negative index", GatherQmmOptions{.has_rhs = true},
                  gather_inputs({1, 2, 128}, array_of({-1}, DType::i32, {1}))},
                 {"indices that are no integers", GatherQmmOptions{.has_rhs = true},
                  gather_inputs({1, 2, 128}, array_of({1}, DType::f32, {1}))},
                 {"indices that do not broadcast", GatherQmmOptions{.has_rhs = true},
                  gather_inputs({3, 2, 128}, array_of({0, 1}, DType::u32, {2}))},
                 {"a vector", GatherQmmOptions{.has_rhs = true},
                  gather_inputs({128}, array_of({0}, DType::u32, {1}))},
                 {"an inner dimension that differs", GatherQmmOptions{.has_rhs = true},
                  gather_inputs({1, 2, 64}, array_of({0}, DType::u32, {1}))}}};

// ---- qqmm: x, packed, scales, global_scale, global_scale of x

Outputs run_qqmm(const Inputs& in, const QqmmOptions& o, const Stream& s) {
  std::optional<Array> of_w, of_x;
  if (o.has_global_scales) {
    of_w = in[3];
    of_x = in[4];
  }
  return {qqmm(in[0], QuantizedWeight(in[1], in[2], {}, o.params, of_w), of_x, s)};
}

std::vector<Expected> reference_qqmm(const Doubles& in, const QqmmOptions& o) {
  const reference::Weight w{in[1], in[2], nullptr, o.params,
                            o.has_global_scales ? &in[3] : nullptr};
  return {reference::qqmm(in[0], w, o.has_global_scales ? &in[4] : nullptr)};
}

std::function<Inputs()> qqmm_inputs(DType x, const QuantizationParams& params, bool one_scale) {
  return [=] {
    Random random(5);
    Inputs inputs{is_float(x) ? random_array(Data::normal, x, {2, 64}, random)
                              : random_integers(x, {2, 64}, random, 0, 3)};
    const WeightSpec weight{.params = params, .rows = 4, .width = 64};
    append_weight(inputs, weight, random);
    if (one_scale) inputs.push_back(array_of({1}, DType::f32, {}));
    return inputs;
  };
}

const RegisterOp<QqmmOptions> qqmm_op{
    .name = "qqmm",
    .run = run_qqmm,
    .reference = reference_qqmm,
    .cost = [](const Inputs& in, const QqmmOptions& o) -> Cost {
      const Shape& x = in[0].shape();
      const double rows = static_cast<double>(x.elements(0, std::max(x.rank() - 2, 0)));
      return product_cost(in, {o.params}, rows);
    },
    .rejected = {{"an integer x", QqmmOptions{nvfp4}, qqmm_inputs(DType::i32, nvfp4, false)},
                 {"a global scale in mxfp8", QqmmOptions{mxfp8, true}, [] {
                    Inputs inputs = qqmm_inputs(DType::f32, mxfp8, true)();
                    inputs.push_back(inputs.back());
                    return inputs;
                  }}}};

const RegisterCase small_gather{
    "gather_qmm/affine4_g64/experts",
    {"gather_qmm", GatherQmmOptions{.has_rhs = true}},
    [](std::uint64_t seed) {
      Random random(seed);
      Inputs inputs{random_array(Data::normal, DType::f32, {3, 1, 1, 128}, random)};
      append_weight(inputs, {.rows = 20, .width = 128, .batch = {4}}, random);
      inputs.push_back(random_integers(DType::u32, {3, 2}, random, 0, 3));
      return inputs;
    }};
const RegisterCase small_qqmm{
    "qqmm/nvfp44_g16/f32", {"qqmm", QqmmOptions{nvfp4}}, [](std::uint64_t seed) {
      Random random(seed);
      Inputs inputs{random_array(Data::normal, DType::f32, {3, 128}, random)};
      append_weight(inputs, {.params = nvfp4, .rows = 20, .width = 128}, random);
      return inputs;
    }};

// ---- the choices

enum class Batches { one, of_x, both, broadcast };     // of quantized_matmul
enum class Gathers { rhs, lhs, both, experts, grid };  // of gather_qmm

/// A size of its class, drawn from the seed.
std::int64_t drawn(const std::vector<std::array<std::int64_t, 2>>& classes, int choice,
                   Random& random) {
  const auto& [low, high] = classes[static_cast<std::size_t>(choice)];
  return random.integer(low, high);
}

const std::vector<std::array<std::int64_t, 2>> row_classes{{1, 1},   {2, 3},    {4, 9},
                                                           {10, 40}, {41, 130}, {257, 257}};
/// Rows of the weight, and groups in each of them.
const std::vector<std::array<std::int64_t, 2>> height_classes{
    {1, 1}, {2, 31}, {33, 97}, {100, 300}};
const std::vector<std::array<std::int64_t, 2>> width_classes{{1, 1}, {2, 5}, {6, 11}};
const std::array all_data{Data::normal, Data::positive, Data::lognormal, Data::integers,
                          Data::zeros,  Data::one_hot,  Data::extreme};

/// What a row of choices stands for.
struct Chosen {
  QuantizationParams params;
  Data data = Data::normal;
  DType x = DType::f32, stored = DType::f32;
  bool transpose = true, has_bias = false, has_global_scale = false;
  std::optional<DType> dtype = {};
  int batch = 0;
  std::int64_t m = 1, rows = 1, width = 1;
  std::uint64_t seed = 0;

  std::int64_t inner() const { return transpose ? width : rows; }
  std::int64_t columns() const { return transpose ? rows : width; }
  QuantizedMatmulOptions options() const {
    return {params, has_bias, dtype, transpose, has_global_scale};
  }
};

enum Parameter { format, data, x_type, stored_type, transposed, extra, batching, m, height, width };

using Formats = std::vector<QuantizationParams>;

Chosen chosen(const Choices& row, const Formats& formats, std::uint64_t seed) {
  Random random(seed);
  Chosen c;
  c.params = formats[static_cast<std::size_t>(row[format])];
  c.data = all_data[static_cast<std::size_t>(row[data])];
  c.x = float_types[static_cast<std::size_t>(row[x_type])];
  c.stored = float_types[static_cast<std::size_t>(row[stored_type])];
  c.transpose = row[transposed] == 0;
  c.has_bias = row[extra] == 1;
  if (row[extra] == 2) c.dtype = float_types[static_cast<std::size_t>(random.integer(0, 2))];
  c.has_global_scale = c.params.mode == QuantizationMode::nvfp4 && row[extra] != 0;
  c.batch = row[batching];
  c.m = drawn(row_classes, row[m], random);
  c.rows = drawn(height_classes, row[height], random);
  c.width = drawn(width_classes, row[width], random) * c.params.group();
  c.seed = seed;
  return c;
}

std::string name_of(const char* op, const char* batch, const Chosen& c) {
  return join(op, "/cover", c.seed % 100000, '/', c.params.mode, c.params.bit_count(), "_g",
              c.params.group(), '/', c.x, '_', c.stored, c.transpose ? "/t_" : "/n_", batch, "/m",
              c.m, 'n', c.columns(), 'k', c.inner(), '/', to_string(c.data),
              c.has_bias ? "/bias" : "", c.dtype ? join("/to_", *c.dtype) : "",
              c.has_global_scale ? "/global" : "");
}

/// Everything but the indices.
Inputs inputs_of(const Chosen& c, const Shape& x, const Shape& stack, Random& random) {
  const WeightSpec weight{c.data, c.stored, c.params, c.rows, c.width, stack};
  Inputs inputs = x_and_weight(c.data, c.x, x, weight, random);
  if (c.has_global_scale)
    append_global_scale(inputs, weight, stack.elements() > 1 && c.seed % 2 == 0, random);
  if (c.has_bias)
    inputs.push_back(random_array(c.data == Data::integers ? c.data : Data::normal, c.stored,
                                  {c.columns()}, random));
  return inputs;
}

void add_product(const Chosen& c, bool full) {
  const Shape matrix{c.m, c.inner()};
  Shape x = matrix, stack;
  switch (static_cast<Batches>(c.batch)) {
    case Batches::one:
      if (c.m == 1) x = Shape{c.inner()};
      break;
    case Batches::of_x:
      x = joined({2}, matrix);
      break;
    case Batches::both:
      x = joined({3}, matrix);
      stack = {3};
      break;
    case Batches::broadcast:
      x = joined({2, 1}, matrix);
      stack = {3};
      break;
  }
  const std::array names{"one", "of_x", "both", "broadcast"};
  add_case({name_of("quantized_matmul", names.at(static_cast<std::size_t>(c.batch)), c),
            OpCall{"quantized_matmul", c.options()},
            [=](std::uint64_t seed) {
              Random random(seed + c.seed);
              return inputs_of(c, x, stack, random);
            },
            {.exact = c.data == Data::integers, .full = full}});
}

void add_gather(const Chosen& c, bool full) {
  const Shape matrix{c.m, c.inner()};
  const auto kind = static_cast<Gathers>(c.batch);
  constexpr std::int64_t experts = 4;
  const bool has_lhs = kind != Gathers::rhs && kind != Gathers::experts;
  const bool has_rhs = kind != Gathers::lhs;
  const Shape of_x = kind == Gathers::experts ? Shape{3, 1} : Shape{3};
  const Shape lhs = kind == Gathers::grid ? Shape{3, 1} : Shape{experts};
  const Shape rhs = kind == Gathers::rhs       ? Shape{3}
                    : kind == Gathers::experts ? Shape{3, 2}
                    : kind == Gathers::grid    ? Shape{2}
                                               : Shape{experts};
  const std::array types{DType::u32, DType::i32, DType::u8};
  const DType type = types.at(c.seed % types.size());
  const std::array names{"rhs", "lhs", "both", "experts", "grid"};
  add_case({name_of("gather_qmm", names.at(static_cast<std::size_t>(c.batch)), c),
            OpCall{"gather_qmm", GatherQmmOptions{c.options(), has_lhs, has_rhs}},
            [=](std::uint64_t seed) {
              Random random(seed + c.seed);
              Inputs inputs = inputs_of(c, joined(of_x, matrix), {experts}, random);
              if (has_lhs) inputs.push_back(random_integers(type, lhs, random, 0, 2));
              if (has_rhs) inputs.push_back(random_integers(type, rhs, random, 0, experts - 1));
              return inputs;
            },
            {.exact = c.data == Data::integers, .full = full}});
}

void add_qqmm(const Chosen& c, bool full) {
  const Shape matrix{c.m, c.inner()};
  const Shape x = c.batch == 0 ? matrix : c.batch == 1 ? joined({2}, matrix) : Shape{c.inner()};
  const bool scaled = c.has_global_scale;
  add_case({name_of("qqmm",
                    c.batch == 0   ? "one"
                    : c.batch == 1 ? "of_x"
                                   : "vector",
                    c),
            OpCall{"qqmm", QqmmOptions{c.params, scaled}},
            [=](std::uint64_t seed) {
              Random random(seed + c.seed);
              Inputs inputs = inputs_of(c, x, {}, random);
              if (scaled)
                inputs.push_back(array_of({500 + 1000 * random.uniform()}, DType::f32, {1}));
              return inputs;
            },
            {.full = full}});
}

/// Small enough for the fast run on an emulated device.
bool is_small(const Chosen& c, double products) {
  return 2 * products * static_cast<double>(c.m * c.rows * c.width) <= 3e5;
}

constexpr std::size_t fast_cases = 20;
constexpr int least_cases = 220;

/// The choices of an op: its formats, how many ways to batch, and what is allowed besides.
CoveringPlan plan_of(const Formats& formats, int batches, bool untransposed, std::uint64_t seed) {
  const auto count = [](const auto& list) { return static_cast<int>(list.size()); };
  CoveringPlan plan;
  plan.options = {count(formats),
                  count(all_data),
                  3,
                  3,
                  untransposed ? 2 : 1,
                  3,
                  batches,
                  count(row_classes),
                  count(height_classes),
                  count(width_classes)};
  plan.allows = [&formats](const Choices& row) {  // the floating modes have no stored dtype
    return is_affine(formats[static_cast<std::size_t>(row[format])]) ||
           row[stored_type] == row[x_type];
  };
  plan.seed = seed;
  plan.least = least_cases;
  return plan;
}

/// Differs from row to row.
std::uint64_t seed_of(const Choices& row, std::uint64_t seed) {
  for (const int choice : row) seed = 31 * seed + static_cast<std::uint64_t>(choice);
  return seed;
}

/// The first rows of small cases for the fast run, then all rows of the plan.
template <class Add>
void add_covering(const CoveringPlan& plan, const Formats& formats, double products, Add add) {
  CoveringPlan small = plan;
  small.most = fast_cases;
  small.allows = [&](const Choices& row) {
    const std::uint64_t seed = seed_of(row, plan.seed);
    return plan.allows(row) && is_small(chosen(row, formats, seed), products);
  };
  const auto add_rows = [&](const CoveringPlan& rows, bool full, std::uint64_t seed) {
    for (const Choices& row : covering_rows(rows))
      add(chosen(row, formats, seed_of(row, seed)), full);
  };
  add_rows(small, false, plan.seed);
  add_rows(plan, true, plan.seed + 1);
}

const RegisterCases product_cases{[] {
  add_covering(plan_of(every_format(), 4, true, 11), every_format(), 3, add_product);
  add_covering(plan_of(every_format(), 5, true, 12), every_format(), 6, add_gather);
  static const Formats floating{mxfp4, mxfp8, nvfp4};
  CoveringPlan plan = plan_of(floating, 3, false, 13);
  plan.allows = [](const Choices& row) {  // no bias; a vector has one row
    const bool vector = row[batching] == 2;
    return row[stored_type] == row[x_type] && row[extra] != 1 && (!vector || row[m] == 0);
  };
  add_covering(plan, floating, 2, [](Chosen c, bool full) {
    c.dtype.reset();
    add_qqmm(c, full);
  });
}};

}  // namespace
}  // namespace clmx
