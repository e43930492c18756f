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

struct RmsNormOptions {
  float eps = 1e-5f;
};

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
                 {"an integer array", RopeOptions{.dims = 8}, plain(DType::i32, {{1, 3, 8}})}}};

/// The same rotation by a table that covers the positions.
const RegisterOp<RopeOptions> rope_table_op{
    .name = "rope_table",
    .run = [](const Inputs& in, const RopeOptions& o, const Stream& s) -> Outputs {
      const bool timed_first = o.layout == AttentionLayout::bthd;
      RopeOptions from_zero = o;
      from_zero.offset = 0;
      const RopeTable table =
          make_rope_table(from_zero, o.offset + in[0].shape(timed_first ? -3 : -2));
      return {rope(in[0], table, o.offset, o.layout, s)};
    },
    .reference = rope_op.reference,
    .cost = rope_op.cost};

const RegisterCases rope_cases{[] {
  std::vector<double> periods;
  periods.reserve(32);
  for (int i = 0; i < 32; ++i) periods.push_back(1.0 + 17.0 * i);
  for (const char* op : {"rope", "rope_table"}) {
    for (const DType x : float_types) {
      for (const AttentionLayout layout : {AttentionLayout::bhtd, AttentionLayout::bthd}) {
        for (const bool traditional : {false, true}) {
          const std::string prefix =
              join(op, '/', x, layout == AttentionLayout::bthd ? "/bthd" : "/bhtd",
                   traditional ? "/traditional" : "");
          RopeOptions o{.dims = 64, .traditional = traditional, .layout = layout};
          const auto add = [&](const char* name, const Shape& shape) {
            add_case(
                {join(prefix, '/', name), OpCall{op, o}, floats(Data::normal, {x}, {shape}), {}});
          };
          add("whole", {2, 5, 7, 64});
          add("partial", {1, 3, 9, 80});
          o.offset = 1000;
          add("offset", {1, 9, 1, 64});
          o.scale = 0.25;
          add("scaled", {1, 4, 6, 64});
          o.base.reset();
          o.periods = periods;
          add("periods", {1, 4, 6, 64});
        }
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

const RegisterOp<AttentionOptions> attention_op{
    .name = "scaled_dot_product_attention",
    .run = [](const Inputs& in, const AttentionOptions& o, const Stream& s) -> Outputs {
      return {scaled_dot_product_attention(in[0], in[1], in[2], o, s)};
    },
    .reference = [](const Doubles& in, const AttentionOptions& o) -> std::vector<Expected> {
      return {reference::attention(in[0], in[1], in[2], o)};
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

/// A cache filled in chunks, then the queries of its last positions, causal.
struct CachedOptions {
  AttentionOptions attention;
  std::int64_t chunk = 1;
  DType dtype = DType::f32;
};

Array slice_of_time(const Array& x, std::int64_t begin, std::int64_t end) {
  return x.reshape(x.shape().slice(1, 4))
      .rows(begin, end)
      .reshape({1, end - begin, x.shape(2), x.shape(3)});
}

const RegisterOp<CachedOptions> cached_op{
    .name = "cached_attention",
    .run = [](const Inputs& in, const CachedOptions& o, const Stream& s) -> Outputs {
      const std::int64_t length = in[1].shape(1);
      KVCache cache(1, in[1].shape(2), in[1].shape(3), length + 3, o.dtype);
      for (std::int64_t t = 0; t < length; t += o.chunk) {
        const std::int64_t end = std::min(t + o.chunk, length);
        cache.append(slice_of_time(in[1], t, end), slice_of_time(in[2], t, end),
                     AttentionLayout::bthd, s);
      }
      return {scaled_dot_product_attention(in[0], cache, o.attention, s)};
    },
    .reference = [](const Doubles& in, const CachedOptions& o) -> std::vector<Expected> {
      return {reference::attention(in[0], in[1], in[2], o.attention)};
    },
    .cost = [](const Inputs& in,
               const CachedOptions& o) { return attention_cost(in, o.attention); },
    .rejected = {{"a batch of another size", CachedOptions{{.layout = AttentionLayout::bthd}, 8},
                  plain(DType::f32, {{2, 3, 4, 8}, {1, 5, 2, 8}, {1, 5, 2, 8}})}}};

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
  for (const std::int64_t chunk : {1, 7, 64, 200}) {
    for (const std::int64_t queries : {1, 5, 70}) {
      for (const DType dtype : float_types) {
        const AttentionOptions o{.scale = 0.125f, .causal = true, .layout = AttentionLayout::bthd};
        add_case(
            {join("cached_attention/", dtype, "/chunk", chunk, "/q", queries),
             OpCall{"cached_attention", CachedOptions{o, chunk, dtype}},
             floats(Data::normal, {dtype}, {{1, queries, 6, 32}, {1, 133, 2, 32}, {1, 133, 2, 32}}),
             {}});
      }
    }
  }
}};

}  // namespace
}  // namespace clmx
