"""Argument sets that clmx refuses or accepts. Inputs: "type[shape]" holds ones, "type=value" that value."""

AFFINE = {"w": "u32[6,8]", "scales": "f32[6,1]", "biases": "f32[6,1]"}  # 4 bits, group 64, 64 wide
EXPERTS = {"w": "u32[3,6,8]", "scales": "f32[3,6,1]", "biases": "f32[3,6,1]"}
MXFP4 = {"w": "u32[6,8]", "scales": "u8[6,2]"}
NVFP4 = {"w": "u32[6,8]", "scales": "u8[6,4]"}
HEADS = {"q": "f32[1,4,2,16]", "k": "f32[1,2,6,16]", "v": "f32[1,2,6,16]"}
ROPE = {"dims": 16, "traditional": True, "base": 1e4, "scale": 1.0, "offset": 2}


def entry(verdict, op, why, inputs, args=None, result=None):
    kept = {key: value for key, value in inputs.items() if value is not None}
    made = {"op": op, "inputs": kept, "args": args or {}, "why": why, "clmx": verdict}
    if result:
        made["result"] = result
    return made


def no(op, why, inputs, **args):
    return entry("refuse", op, why, inputs, args)


def quantize_errors():
    one = lambda why, w, **args: no("quantize", why, {"w": w}, **args)
    yield one("a scalar", "f32=3.0")
    yield one("a vector", "f32[128]")
    yield one("a vector of one element", "f32[1]")
    yield one("integers", "u32[2,64]")
    yield one("float64 in affine mode", "f64[2,64]")
    yield one("complex numbers", "c64[2,64]")
    for group in (0, 8, 24, 96, 512, -64):
        yield one("group size of no affine mode", "f32[2,1536]", group_size=group)
    for bits in (-2, 0, 7, 10, 32):
        yield one("width of no affine mode", "f32[2,64]", bits=bits)
    yield one("rows that the default group does not divide", "f32[2,160]")
    yield one("rows that the group does not divide", "f32[2,80]", mode="mxfp8")
    for mode in ("Affine", "mxfp", "nvfp4 ", "", "fp8"):
        yield one("unknown mode", "f32[2,64]", mode=mode)
    for mode, name, value in (("mxfp4", "group_size", 16), ("mxfp4", "bits", 3), ("mxfp8", "bits", 6), ("mxfp8", "group_size", 128),
                              ("nvfp4", "group_size", 64), ("nvfp4", "bits", 2)):
        yield one("a floating mode has one group size and one width", "f32[2,128]", mode=mode, **{name: value})
    for mode, scale, why in (("affine", "f32=2.0", "mode without a global scale"), ("mxfp8", "f32[1]", "mode without a global scale"),
                             ("nvfp4", "f32[3]", "three global scales"), ("nvfp4", "bf16=1.0", "global scale of another type")):
        yield no("quantize", why, {"w": "f32[2,64]", "global_scale": scale}, mode=mode)


def dequantize_errors():
    one = lambda why, inputs, **args: no("dequantize", why, inputs, **args)
    yield one("affine without biases", {**AFFINE, "biases": None})
    yield one("floating mode with biases", {**MXFP4, "biases": "u8[6,2]"}, mode="mxfp4")
    yield one("floating mode with float scales", {**MXFP4, "scales": "f16[6,2]"}, mode="mxfp4")
    yield one("words of another type", {**AFFINE, "w": "u8[6,8]"})
    yield one("one axis", {"w": "u32[8]", "scales": "f32[1]", "biases": "f32[1]"})
    yield one("no bits", AFFINE, bits=0)
    yield one("no group", AFFINE, group_size=0)
    yield one("shapes of another group size", AFFINE, group_size=128)
    yield one("shapes of another width", AFFINE, bits=2)
    yield one("other rows", {**AFFINE, "scales": "f32[3,1]", "biases": "f32[3,1]"})
    yield one("another rank", {**AFFINE, "scales": "f32[1,6,1]", "biases": "f32[1,6,1]"})
    yield one("integer result", AFFINE, dtype="u32")
    yield one("integer scales", {**AFFINE, "scales": "u32[6,1]", "biases": "u32[6,1]"})
    yield one("another group of a floating mode", MXFP4, mode="mxfp4", group_size=16)
    yield one("another width of a floating mode", NVFP4, mode="nvfp4", bits=8)
    yield one("global scale without nvfp4", {**MXFP4, "global_scale": "f32=1.0"}, mode="mxfp4")
    yield one("unknown mode", AFFINE, mode="q8_0")


def product_errors():
    for op, w, x, index in (("quantized_matmul", AFFINE, "f32[3,64]", {}),
                            ("gather_qmm", EXPERTS, "f32[2,3,64]", {"rhs_indices": "u32=[2,0]"})):
        fp = {"w": w["w"], "scales": w["scales"].replace("f32", "u8").replace(",1]", ",2]")}
        one = lambda why, inputs, **args: no(op, why, {**inputs, **index}, **args)
        yield one("affine without biases", {"x": x, **w, "biases": None})
        yield one("floating mode with biases", {"x": x, **fp, "biases": fp["scales"]}, mode="mxfp4")
        yield one("floating mode with float scales", {"x": x, **fp, "scales": fp["scales"].replace("u8", "bf16")}, mode="mxfp4")
        yield one("words of another type", {"x": x, **w, "w": w["w"].replace("u32", "f32")})
        yield one("another inner dimension", {"x": x.replace("64", "32"), **w})
        yield one("shapes of another width", {"x": x, **w}, bits=8)
        yield one("shapes of another group size", {"x": x, **w}, group_size=32)
        yield one("integers in a floating mode", {"x": x.replace("f32", "i32"), **fp}, mode="mxfp4")
        yield one("untransposed, with rows of another number", {"x": x, **w}, transpose=False)
        yield one("unknown mode", {"x": x, **w}, mode="int8")
    one = lambda why, inputs, **args: no("quantized_matmul", why, inputs, **args)
    yield one("biases of another shape than scales", {"x": "f32[3,64]", **AFFINE, "biases": "f32[6,2]"})
    yield one("batches that do not broadcast", {"x": "f32[2,3,64]", **EXPERTS})
    yield one("a matrix with batched weights", {"x": "f32[3,64]", **EXPERTS})
    yield one("weights of one axis", {"x": "f32[3,64]", "w": "u32[8]", "scales": "f32[1]", "biases": "f32[1]"})
    yield one("a scalar", {"x": "f32=1.0", **AFFINE})
    yield one("float64", {"x": "f64[3,64]", **AFFINE})
    yield one("another group of a floating mode", {"x": "f32[3,64]", **MXFP4, "scales": "u8[6,4]"}, mode="mxfp4", group_size=16)
    one = lambda why, inputs, **args: no("gather_qmm", why, inputs, **args)
    yield one("an index for each matrix of x is missing", {"x": "f32[4,3,64]", **EXPERTS, "rhs_indices": "u32=[0,1,2]"})
    yield one("float indices", {"x": "f32[2,3,64]", **EXPERTS, "rhs_indices": "f32=[0,1]"})
    yield one("an index out of range", {"x": "f32[2,3,64]", **EXPERTS, "rhs_indices": "u32=[0,3]"})
    yield one("x of one axis", {"x": "f32[64]", **EXPERTS, "rhs_indices": "u32=[1]"})
    yield no("to_fp8", "integers", {"x": "u32[4]"})
    yield no("from_fp8", "not bytes", {"x": "u32[4]"})
    yield no("from_fp8", "integer result", {"x": "u8[4]"}, dtype="u8")
    yield no("qqmm", "words without scales", {"x": "f32[1,64]", "w": "u32[6,8]"})


def function_errors():
    one = lambda why, inputs, **args: no("scaled_dot_product_attention", why, inputs, **args)
    yield one("rank 3", {"q": "f32[4,2,16]", "k": "f32[2,6,16]", "v": "f32[2,6,16]"})
    yield one("query heads that key heads do not divide", {**HEADS, "q": "f32[1,5,2,16]"})
    yield one("other value heads", {**HEADS, "v": "f32[1,1,6,16]"})
    yield one("other batch", {**HEADS, "q": "f32[2,4,2,16]"})
    yield one("other width of keys", {**HEADS, "k": "f32[1,2,6,8]"})
    yield one("other number of values", {**HEADS, "v": "f32[1,2,5,16]"})
    yield one("unknown mask", HEADS, mask="casual")
    yield one("mask that does not broadcast", {**HEADS, "mask": "f32[3,6]"})
    yield one("sinks of another number", {**HEADS, "sinks": "f32[3]"})
    one = lambda why, x, **args: no("rope", why, {"x": x}, **{**ROPE, **args})
    yield one("rank 2", "f32[3,16]")
    yield one("odd dims", "f32[1,3,16]", dims=5)
    yield one("more dims than the axis has", "f32[1,3,16]", dims=18)
    yield one("no dims", "f32[1,3,16]", dims=0)
    yield one("neither base nor freqs", "f32[1,3,16]", base=None)
    yield one("integers", "u32[1,3,16]")
    yield no("rms_norm", "weight of another length", {"x": "f32[2,16]", "weight": "f32[8]"}, eps=1e-6)
    yield no("rms_norm", "a scalar", {"x": "f32=1.0"}, eps=1e-6)
    yield no("layer_norm", "bias of another length", {"x": "f32[2,16]", "weight": "f32[16]", "bias": "f32[1]"}, eps=1e-6)


def refused():
    return [*quantize_errors(), *dequantize_errors(), *product_errors(), *function_errors()]


def accepted():
    yes = lambda op, why, inputs, result, **args: entry("accept", op, why, inputs, args, result)
    return [
        yes("quantize", "affine group 16", {"w": "f32[2,48]"}, ["u32[2,6]", "f32[2,3]", "f32[2,3]"], group_size=16),
        yes("quantize", "no rows", {"w": "bf16[0,128]"}, ["u32[0,16]", "bf16[0,2]", "bf16[0,2]"]),
        yes("quantize", "no rows in a floating mode", {"w": "f32[0,64]"}, ["u32[0,16]", "u8[0,2]"], mode="mxfp8"),
        yes("quantize", "an odd number of groups in nvfp4", {"w": "f32[5,16]"}, ["u32[5,2]", "u8[5,1]"], mode="nvfp4"),
        yes("quantize", "global scale of shape [1]", {"w": "f32[2,32]", "global_scale": "f32[1]"}, ["u32[2,4]", "u8[2,2]"], mode="nvfp4"),
        yes("dequantize", "bf16 unless told otherwise", MXFP4, ["bf16[6,64]"], mode="mxfp4"),
        yes("dequantize", "the wider type", {**AFFINE, "biases": "bf16[6,1]"}, ["f32[6,64]"]),
        yes("dequantize", "affine group 16", {**AFFINE, "scales": "f16[6,4]", "biases": "f16[6,4]"}, ["f16[6,64]"], group_size=16),
        yes("quantized_matmul", "a vector", {"x": "f32[64]", **AFFINE}, ["f32[6]"]),
        yes("quantized_matmul", "integers are promoted", {"x": "u32[3,64]", **AFFINE}, ["f32[3,6]"]),
        yes("quantized_matmul", "no rows", {"x": "f32[0,64]", **AFFINE}, ["f32[0,6]"]),
        yes("quantized_matmul", "affine group 16", {"x": "f32[3,64]", **AFFINE, "scales": "f32[6,4]", "biases": "f32[6,4]"}, ["f32[3,6]"],
            group_size=16),
        yes("gather_qmm", "no indices", {"x": "f32[1,2,64]", **EXPERTS}, ["f32[3,2,6]"]),
        yes("qqmm", "several rows", {"x": "f32[3,64]", **NVFP4}, ["f32[3,6]"], mode="nvfp4"),
    ]
