#include "clmx/devices/error.hpp"
#include "product_inputs.hpp"

namespace clmx {
namespace {

Outputs run_product(const Inputs& in, const QuantizedMatmulOptions& o, const Stream& s) {
  return {quantized_matmul(in[0], product_weight(in, o), product_options(in, o), s)};
}

std::vector<Expected> reference_product(const Doubles& in, const QuantizedMatmulOptions& o) {
  return {reference::quantized_matmul(in[0], reference_weight(in, o), reference_details(in, o))};
}

Cost cost_of_product(const Inputs& in, const QuantizedMatmulOptions& o) {
  const Shape &x = in[0].shape(), &w = in[1].shape();
  const Shape of_x = x.slice(0, std::max(x.rank() - 2, 0)), of_w = w.slice(0, w.rank() - 2);
  return product_cost(in, o, static_cast<double>(broadcast(of_x, of_w, "cost").elements()));
}

std::function<Inputs()> product_inputs(DType x, const Shape& shape, const WeightSpec& weight) {
  return [=] {
    Random random(3);
    Inputs inputs{is_float(x) ? random_array(Data::normal, x, shape, random)
                              : random_integers(x, shape, random, 0, 3)};
    append_weight(inputs, weight, random);
    return inputs;
  };
}

const WeightSpec small{.params = affine4_64, .rows = 4, .width = 128};
const WeightSpec small_mxfp4{.params = mxfp4, .rows = 4, .width = 128};

const RegisterOp<QuantizedMatmulOptions> quantized_matmul_op{
    .name = "quantized_matmul",
    .run = run_product,
    .reference = reference_product,
    .cost = cost_of_product,
    .rejected = {{"an inner dimension that differs", QuantizedMatmulOptions{},
                  product_inputs(DType::f32, {2, 64}, small)},
                 {"a scalar", QuantizedMatmulOptions{}, product_inputs(DType::f32, Shape{}, small)},
                 {"an integer x in mxfp4", QuantizedMatmulOptions{mxfp4},
                  product_inputs(DType::i32, {2, 128}, small_mxfp4)},
                 {"shapes of another width", QuantizedMatmulOptions{affine8_64},
                  product_inputs(DType::f32, {2, 128}, small)},
                 {"shapes of another group size", QuantizedMatmulOptions{affine4_32},
                  product_inputs(DType::f32, {2, 128}, small)},
                 {"affine parts as mxfp4", QuantizedMatmulOptions{mxfp4},
                  product_inputs(DType::f32, {2, 128}, small)},
                 {"a bias of another length", QuantizedMatmulOptions{affine4_64, true}, [] {
                    Inputs inputs = product_inputs(DType::f32, {2, 128}, small)();
                    inputs.push_back(array_of({1, 2, 3}, DType::f32, {3}));
                    return inputs;
                  }}}};

struct Product {
  Data data = Data::normal;
  DType x = DType::f32, stored = DType::f32;
  QuantizationParams params = {};
  std::int64_t m = 1, n = 1, k = 64;
  bool has_bias = false;
  std::optional<DType> dtype = {};
};

void add_product(const Product& p, CaseTraits traits = {}) {
  const std::string name =
      join("quantized_matmul/", p.params.mode, p.params.bit_count(), "_g", p.params.group(), '/',
           p.x, '_', p.stored, "/m", p.m, 'n', p.n, 'k', p.k, '/', to_string(p.data),
           p.has_bias ? "/bias" : "", p.dtype ? join("/to_", *p.dtype) : "");
  add_case({name, OpCall{"quantized_matmul", QuantizedMatmulOptions{p.params, p.has_bias, p.dtype}},
            [p](std::uint64_t seed) {
              Random random(seed);
              const Data x_data = p.data == Data::extreme ? Data::normal : p.data;
              Inputs inputs{is_float(p.x) ? random_array(x_data, p.x, {p.m, p.k}, random)
                                          : random_integers(p.x, {p.m, p.k}, random, 0, 3)};
              // zeros and one-hot are kinds of x; against zero scales they would show nothing
              const bool in_x = p.data == Data::zeros || p.data == Data::one_hot;
              append_weight(inputs, {in_x ? Data::normal : p.data, p.stored, p.params, p.n, p.k},
                            random);
              if (p.has_bias) inputs.push_back(random_array(Data::normal, p.stored, {p.n}, random));
              return inputs;
            },
            traits});
}

const RegisterCases shapes{[] {
  const std::vector<std::array<std::int64_t, 3>> sizes{
      {1, 1, 64},    {1, 33, 256},   {1, 130, 576},  {2, 64, 320},  {3, 17, 192},   {4, 129, 64},
      {5, 96, 1536}, {7, 31, 448},   {8, 257, 256},  {9, 40, 832},  {16, 65, 512},  {17, 128, 576},
      {31, 50, 128}, {33, 100, 320}, {64, 64, 1088}, {65, 9, 2048}, {128, 34, 192}, {257, 67, 256}};
  for (const QuantizationParams& params : all_params) {
    for (const auto& [m, n, k] : sizes) {
      add_product({.params = params, .m = m, .n = n, .k = k});
      add_product({.data = Data::positive, .params = params, .m = m, .n = n, .k = k});
      add_product({.data = Data::integers, .params = params, .m = m, .n = n, .k = k},
                  {.exact = true});
    }
    add_product({.params = params, .m = 3, .n = 5, .k = std::int64_t{9} * params.group()});
    add_product({.params = params, .m = 0, .n = 5, .k = 64});
  }
}};

/// Every pair of dtypes with and without a bias. Each is a kernel of its own, so the fast run takes
/// the equal pairs, and all pairs of one width.
void add_types(const QuantizationParams& params, DType x, DType stored) {
  const bool affine = params.mode == QuantizationMode::affine;
  if (!affine && stored != x) return;
  const CaseTraits traits{.full = x != stored && (params.bit_count() != 4 || params.group() != 64)};
  for (const std::int64_t m : {1, 12}) {
    Product p{.x = x, .stored = stored, .params = params, .m = m, .n = 66, .k = 320};
    add_product(p, traits);
    p.has_bias = true;
    add_product(p, {.full = traits.full || x != stored});
    p.data = Data::lognormal;
    p.dtype = x;
    add_product(p, {.full = true});
    p.has_bias = false;
    p.dtype = DType::f32;
    add_product(p, {.full = traits.full || (x != DType::f32 && stored == DType::f32)});
  }
}

const RegisterCases kinds{[] {
  for (const QuantizationParams& params : all_params) {
    for (const Data data : {Data::lognormal, Data::zeros, Data::one_hot, Data::extreme}) {
      add_product({.data = data, .params = params, .m = 1, .n = 200, .k = 640});
      add_product({.data = data, .params = params, .m = 19, .n = 70, .k = 384});
    }
    for (const DType x : float_types) {
      for (const DType stored : float_types) add_types(params, x, stored);
    }
  }
  for (const DType integer : {DType::u8, DType::u32, DType::i32})
    add_product({.x = integer, .stored = DType::f16, .m = 3, .n = 40, .k = 128});
}};

const RegisterCases large{[] {
  for (const QuantizationParams& params : all_params) {
    for (const Data data : {Data::normal, Data::positive, Data::lognormal}) {
      add_product({.data = data, .params = params, .m = 1, .n = 4096, .k = 4096}, {.full = true});
      add_product({.data = data, .params = params, .m = 257, .n = 300, .k = 4096}, {.full = true});
    }
    for (std::int64_t m = 1; m <= 257; m += 16) {
      for (std::int64_t n = 1; n <= 257; n += 32)
        add_product({.data = Data::integers, .params = params, .m = m, .n = n, .k = 384},
                    {.exact = true, .full = true});
    }
  }
}};

}  // namespace
}  // namespace clmx
