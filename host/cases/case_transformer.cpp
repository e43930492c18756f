#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "reference.hpp"

namespace clmx {
namespace {

double sizes(const Inputs& in) {
  double bytes = 0;
  for (const Array& array : in) bytes += static_cast<double>(array.bytes());
  return bytes;
}

std::function<Inputs()> plain(DType dtype, const std::vector<Shape>& shapes) {
  return [=] {
    Inputs inputs;
    for (const Shape& shape : shapes) {
      const std::vector<double> values(static_cast<std::size_t>(shape.elements()), 1.0);
      inputs.push_back(array_of(values, dtype, shape));
    }
    return inputs;
  };
}

// ---- rms_norm: x [, weight]

const RegisterOp<RmsNormOptions> rms_norm_op{
    .name = "rms_norm",
    .run = [](const Inputs& in, const RmsNormOptions& o, const Stream& s) -> Outputs {
      std::optional<Array> weight;
      if (in.size() > 1) weight = in[1];
      return {rms_norm(in[0], weight, o.eps, s)};
    },
    .reference = [](const Doubles& in, const RmsNormOptions& o) -> std::vector<Expected> {
      return {reference::rms_norm(in[0], in.size() > 1 ? &in[1] : nullptr, o.eps)};
    },
    .cost = [](const Inputs& in, const RmsNormOptions&) -> Cost {
      const double n = static_cast<double>(in[0].size());
      return {sizes(in) + n * 4, n * 4};
    },
    .rejected = {{"a weight of another length", RmsNormOptions{}, plain(DType::f32, {{3, 8}, {4}})},
                 {"a scalar", RmsNormOptions{}, plain(DType::f32, {Shape{}})},
                 {"an integer array", RmsNormOptions{}, plain(DType::i32, {{3, 8}})}}};

const RegisterCases rms_norm_cases{[] {
  const OpCall call{"rms_norm", RmsNormOptions{}};
  for (const DType x : float_types) {
    for (const Shape& shape : {Shape{1}, Shape{7, 576}, Shape{3, 5, 48}, Shape{1, 17},
                               Shape{257, 65}, Shape{2, 4097}, Shape{0, 8}}) {
      for (const Data data : {Data::normal, Data::lognormal}) {
        add_case({join("rms_norm/", x, '/', shape, '/', to_string(data)),
                  call,
                  floats(data, {x}, {shape}),
                  {}});
        for (const DType weight : float_types)
          add_case({join("rms_norm/", x, '_', weight, '/', shape, '/', to_string(data)),
                    call,
                    floats(data, {x, weight}, {shape, {shape[-1]}}),
                    {}});
      }
    }
    add_case({join("rms_norm/", x, "/zeros"), call, floats(Data::zeros, {x}, {{5, 33}}), {}});
    add_case({join("rms_norm/", x, "/one_hot"), call, floats(Data::one_hot, {x}, {{5, 33}}), {}});
    add_case({join("rms_norm/", x, "/extreme"), call, floats(Data::extreme, {x}, {{9, 100}}), {}});
  }
}};

// ---- rope

const RegisterOp<RopeOptions> rope_op{
    .name = "rope",
    .run = [](const Inputs& in, const RopeOptions& o, const Stream& s) -> Outputs {
      return {rope(in[0], o, s)};
    },
    .reference = [](const Doubles& in, const RopeOptions& o) -> std::vector<Expected> {
      return {reference::rope(in[0], o)};
    },
    .cost = [](const Inputs& in, const RopeOptions&) -> Cost {
      return {2 * sizes(in), 3 * static_cast<double>(in[0].size())};
    },
    .rejected = {{"two axes", RopeOptions{.dims = 8}, plain(DType::f32, {{3, 8}})},
                 {"odd dims", RopeOptions{.dims = 7}, plain(DType::f32, {{1, 3, 8}})},
                 {"dims above the last axis", RopeOptions{.dims = 10},
                  plain(DType::f32, {{1, 3, 8}})},
                 {"no dims", RopeOptions{.dims = 0}, plain(DType::f32, {{1, 3, 8}})},
                 {"neither base nor periods", RopeOptions{.dims = 8, .base = {}},
                  plain(DType::f32, {{1, 3, 8}})},
                 {"base and periods", RopeOptions{.dims = 2, .periods = std::vector<double>{1.0}},
                  plain(DType::f32, {{1, 3, 8}})},
                 {"periods of another number",
                  RopeOptions{.dims = 8, .base = {}, .periods = std::vector<double>{1.0, 2.0}},
                  plain(DType::f32, {{1, 3, 8}})},
                 {"offsets of another number",
                  RopeOptions{.dims = 8, .offsets = std::vector<std::int64_t>{1, 2}},
                  plain(DType::f32, {{1, 3, 8}})},
                 {"offset and offsets",
                  RopeOptions{.dims = 8, .offset = 3, .offsets = std::vector<std::int64_t>{1}},
                  plain(DType::f32, {{1, 3, 8}})},
                 {"an integer array", RopeOptions{.dims = 8}, plain(DType::i32, {{1, 3, 8}})}}};

/// The same rotation by a table: x, cos, sin.
const RegisterOp<RopeTableOptions> rope_table_op{
    .name = "rope_table",
    .run = [](const Inputs& in, const RopeTableOptions& o, const Stream& s) -> Outputs {
      return {rope(in[0], RopeTable{in[1], in[2], o.dims, o.traditional}, o.offset, o.layout, s)};
    },
    .reference = [](const Doubles& in, const RopeTableOptions& o) -> std::vector<Expected> {
      return {reference::rope_table(in[0], in[1], in[2], o)};
    },
    .cost = [](const Inputs& in, const RopeTableOptions&) -> Cost {
      return {2 * sizes(in), 3 * static_cast<double>(in[0].size())};
    },
    .rejected = {{"a table that is too short", RopeTableOptions{8, false, 3},
                  plain(DType::f32, {{1, 1, 3, 8}, {5, 4}, {5, 4}})},
                 {"a negative offset", RopeTableOptions{8, false, -1},
                  plain(DType::f32, {{1, 1, 3, 8}, {5, 4}, {5, 4}})},
                 {"an integer array", RopeTableOptions{8},
                  plain(DType::i32, {{1, 1, 3, 8}, {5, 4}, {5, 4}})}}};

void add_rope(const std::string& name, DType x, const Shape& shape, const RopeOptions& o) {
  add_case({"rope/" + name, OpCall{"rope", o}, floats(Data::normal, {x}, {shape}), {}});
  const std::int64_t time = shape[o.layout == AttentionLayout::bthd ? -3 : -2];
  const RopeTableOptions by_table{o.dims, o.traditional, o.offset, o.layout};
  add_case({"rope_table/" + name,
            OpCall{"rope_table", by_table},
            [=](std::uint64_t seed) {
              Inputs inputs = floats(Data::normal, {x}, {shape})(seed);
              RopeOptions from_zero = o;
              from_zero.offset = 0;
              const RopeTable table = make_rope_table(from_zero, o.offset + time);
              inputs.insert(inputs.end(), {table.cos, table.sin});
              return inputs;
            },
            {}});
}

const RegisterCases rope_offset_cases{[] {
  for (const DType x : float_types) {
    add_case({join("rope/", x, "/one_offset"),
              OpCall{"rope", RopeOptions{.dims = 32, .offsets = std::vector<std::int64_t>{1000}}},
              floats(Data::normal, {x}, {{3, 5, 7, 48}}),
              {}});
    for (const AttentionLayout layout : {AttentionLayout::bhtd, AttentionLayout::bthd})
      add_case({join("rope/", x, layout == AttentionLayout::bthd ? "/bthd" : "/bhtd", "/offsets"),
                OpCall{"rope", RopeOptions{.dims = 32,
                                           .layout = layout,
                                           .offsets = std::vector<std::int64_t>{7, 0, 1000}}},
                floats(Data::normal, {x}, {{3, 5, 7, 48}}),
                {}});
  }
}};

const RegisterCases rope_cases{[] {
  std::vector<double> periods;
  periods.reserve(32);
  for (int i = 0; i < 32; ++i) periods.push_back(1.0 + 17.0 * i);
  for (const DType x : float_types) {
    for (const AttentionLayout layout : {AttentionLayout::bhtd, AttentionLayout::bthd}) {
      for (const bool traditional : {false, true}) {
        const std::string prefix = join(x, layout == AttentionLayout::bthd ? "/bthd" : "/bhtd",
                                        traditional ? "/traditional/" : "/");
        RopeOptions o{.dims = 64, .traditional = traditional, .layout = layout};
        add_rope(prefix + "whole", x, {2, 5, 7, 64}, o);
        add_rope(prefix + "partial", x, {1, 3, 9, 80}, o);
        o.offset = 1000;
        add_rope(prefix + "offset", x, {1, 9, 1, 64}, o);
        o.scale = 0.25;
        add_rope(prefix + "scaled", x, {1, 4, 6, 64}, o);
        o.base.reset();
        o.periods = periods;
        add_rope(prefix + "periods", x, {1, 4, 6, 64}, o);
      }
    }
  }
}};

// ---- attention: q, k, v

Cost attention_cost(const Inputs& in, const AttentionOptions& o) {
  const int time = o.layout == AttentionLayout::bthd ? 1 : 2;
  const double rows = static_cast<double>(in[0].size()) / static_cast<double>(in[0].shape(3));
  const double dims = static_cast<double>(in[1].shape(3) + in[2].shape(3));
  return {sizes(in) + rows * 4 * static_cast<double>(in[2].shape(3)),
          2 * rows * dims * static_cast<double>(in[1].shape(time))};
}

/// The options of a case say with any array that there is a mask or sinks; the inputs hold them.
AttentionOptions with_inputs(AttentionOptions o, const Inputs& in) {
  if (o.mask) o.mask = in[3];
  if (o.sinks) o.sinks = in.back();
  return o;
}

const RegisterOp<AttentionOptions> attention_op{
    .name = "scaled_dot_product_attention",
    .run = [](const Inputs& in, const AttentionOptions& o, const Stream& s) -> Outputs {
      return {scaled_dot_product_attention(in[0], in[1], in[2], with_inputs(o, in), s)};
    },
    .reference = [](const Doubles& in, const AttentionOptions& o) -> std::vector<Expected> {
      return {reference::attention(in, o)};
    },
    .cost = attention_cost,
    .rejected = {{"three axes", AttentionOptions{},
                  plain(DType::f32, {{4, 3, 8}, {2, 5, 8}, {2, 5, 8}})},
                 {"heads that do not share", AttentionOptions{},
                  plain(DType::f32, {{1, 3, 3, 8}, {1, 2, 5, 8}, {1, 2, 5, 8}})},
                 {"other heads in v", AttentionOptions{},
                  plain(DType::f32, {{1, 4, 3, 8}, {1, 2, 5, 8}, {1, 4, 5, 8}})},
                 {"another width in k", AttentionOptions{},
                  plain(DType::f32, {{1, 4, 3, 8}, {1, 2, 5, 4}, {1, 2, 5, 8}})},
                 {"another batch in k", AttentionOptions{},
                  plain(DType::f32, {{1, 4, 3, 8}, {2, 2, 5, 8}, {2, 2, 5, 8}})},
                 {"another length in v", AttentionOptions{},
                  plain(DType::f32, {{1, 4, 3, 8}, {1, 2, 5, 8}, {1, 2, 6, 8}})},
                 {"integers", AttentionOptions{},
                  plain(DType::i32, {{1, 4, 3, 8}, {1, 2, 5, 8}, {1, 2, 5, 8}})}}};

Array slice_of_time(const Array& x, std::int64_t begin, std::int64_t end) {
  const DoubleArray wide = widen(x);
  const std::int64_t time = x.shape(2), dim = x.shape(3);
  std::vector<double> part;
  for (std::int64_t head = 0; head < x.shape(0) * x.shape(1); ++head) {
    const auto first = wide.values.begin() + head * time * dim;
    part.insert(part.end(), first + begin * dim, first + end * dim);
  }
  return array_of(part, x.dtype(), x.shape().with(2, end - begin));
}

/// The first `length` positions of keys and values in pieces of 1, 2, 4 ... positions.
KVCache filled_cache(const Array& keys, const Array& values, std::int64_t length, const Stream& s) {
  KVCache cache(keys.shape(0), keys.shape(1), keys.shape(3), keys.shape(2), keys.dtype());
  for (std::int64_t begin = 0, piece = 1; begin < length; begin += piece, piece *= 2) {
    const std::int64_t end = std::min(begin + piece, length);
    cache.append(slice_of_time(keys, begin, end), slice_of_time(values, begin, end),
                 AttentionLayout::bhtd, s);
  }
  return cache;
}

const RegisterOp<CachedAttentionOptions> cached_op{
    .name = "cached_attention",
    .run = [](const Inputs& in, const CachedAttentionOptions& o, const Stream& s) -> Outputs {
      const KVCache cache = filled_cache(in[1], in[2], o.length, s);
      return {scaled_dot_product_attention(in[0], cache, with_inputs(o.attention, in), s)};
    },
    .reference = [](const Doubles& in, const CachedAttentionOptions& o) -> std::vector<Expected> {
      return {reference::cached_attention(in, o)};
    },
    .cost = [](const Inputs& in,
               const CachedAttentionOptions& o) { return attention_cost(in, o.attention); },
    .rejected = {{"a batch of another size",
                  CachedAttentionOptions{{.layout = AttentionLayout::bthd}, 5},
                  plain(DType::f32, {{2, 3, 4, 8}, {1, 2, 5, 8}, {1, 2, 5, 8}})},
                 {"heads of another width",
                  CachedAttentionOptions{{.layout = AttentionLayout::bthd}, 5},
                  plain(DType::f32, {{1, 3, 4, 16}, {1, 2, 5, 8}, {1, 2, 5, 8}})}}};

struct AttentionSize {
  std::int64_t batch, heads, kv_heads, queries, keys, dim;
};

Shape attention_shape(std::int64_t b, std::int64_t h, std::int64_t t, std::int64_t d,
                      AttentionLayout layout) {
  return layout == AttentionLayout::bthd ? Shape{b, t, h, d} : Shape{b, h, t, d};
}

void add_attention(const AttentionSize& z, const std::vector<DType>& dtypes, Data data,
                   const AttentionOptions& o, CaseTraits traits = {}) {
  std::string types;
  for (const DType dtype : dtypes) types += join(dtype, '_');
  add_case({join("attention/", types, "b", z.batch, "h", z.heads, "kv", z.kv_heads, 'q', z.queries,
                 'k', z.keys, 'd', z.dim, '/', to_string(data), o.causal ? "/causal" : "",
                 o.layout == AttentionLayout::bthd ? "/bthd" : ""),
            OpCall{"scaled_dot_product_attention", o},
            floats(data, dtypes,
                   {attention_shape(z.batch, z.heads, z.queries, z.dim, o.layout),
                    attention_shape(z.batch, z.kv_heads, z.keys, z.dim, o.layout),
                    attention_shape(z.batch, z.kv_heads, z.keys, z.dim, o.layout)}),
            traits});
}

const RegisterCases attention_cases{[] {
  const std::vector<AttentionSize> table{
      {1, 1, 1, 1, 1, 8},   {2, 4, 4, 1, 9, 16},   {1, 9, 3, 1, 130, 64},  {1, 4, 2, 7, 7, 32},
      {1, 9, 3, 5, 64, 64}, {2, 6, 2, 17, 65, 24}, {1, 2, 1, 33, 200, 80}, {1, 3, 3, 9, 4, 16}};
  for (const AttentionSize& z : table) {
    for (const bool causal : {false, true}) {
      for (const AttentionLayout layout : {AttentionLayout::bhtd, AttentionLayout::bthd}) {
        const AttentionOptions o{.scale = 0.125f, .causal = causal, .layout = layout};
        for (const DType dtype : float_types) add_attention(z, {dtype}, Data::normal, o);
        add_attention(z, {DType::f32}, Data::lognormal, o);
        add_attention(z, {DType::f32}, Data::zeros, o);
      }
    }
    add_attention(z, {DType::f32, DType::f16, DType::f16}, Data::normal,
                  {.scale = 0.25f, .causal = true});
  }
  add_attention({1, 9, 3, 256, 256, 64}, {DType::f32}, Data::normal,
                {.scale = 0.125f, .causal = true});
  add_attention({1, 9, 3, 512, 1030, 64}, {DType::f32}, Data::normal,
                {.scale = 0.125f, .causal = true}, {.full = true});
}};

const RegisterCases cached_cases{[] {
  for (const std::int64_t length : {1, 64, 133}) {
    for (const std::int64_t queries : {1, 5, 70}) {
      if (queries > length) continue;
      for (const DType dtype : float_types) {
        for (const AttentionLayout layout : {AttentionLayout::bthd, AttentionLayout::bhtd}) {
          const AttentionOptions o{.scale = 0.125f, .causal = true, .layout = layout};
          add_case(
              {join("cached_attention/", dtype, "/length", length, "/q", queries,
                    layout == AttentionLayout::bthd ? "/bthd" : "/bhtd"),
               OpCall{"cached_attention", CachedAttentionOptions{o, length}},
               floats(
                   Data::normal, {dtype},
                   {attention_shape(1, 6, queries, 32, layout), {1, 2, 140, 32}, {1, 2, 140, 32}}),
               {}});
        }
      }
    }
  }
}};

}  // namespace
}  // namespace clmx
