"""Makes a set of golden cases with MLX on the CPU, in the form that `clmx verify --golden` reads.

usage: make_golden.py [--seed N] [--size small|full] TARGET
Needs the pip packages mlx[cpu]==0.32.4 and numpy. Every seed gives other values and other shapes. tests/data/golden
is made by `make_golden.py tests/data/golden`.

manifest.json lists families; a case names an op, its arguments, its input and output tensors and how outputs are
compared: "bits"; "close": |y - ref| <= u |ref| + (terms + 8) 2^-24 mag, with float64 sums ref and mag; "rel":
|y - ref| <= tol max(1, |ref|); "info": nothing that MLX returned is compared.
"""
import argparse
import json
import os

import mlx.core as mx
import mlx.nn as nn
import numpy as np

import golden_errors
from tensor_files import BF16, save

TYPES = {"f32": mx.float32, "f16": mx.float16, "bf16": mx.bfloat16}
FLOATING = {"mxfp4": (32, 4), "mxfp8": (32, 8), "nvfp4": (16, 4)}
WIDTHS = (1, 2, 3, 4, 5, 6, 8)
GROUPS = (32, 64, 128)
TOLERANCE = {"f32": 4e-6, "f16": 4e-3, "bf16": 3e-2}
TINY = {"f32": 1e-45, "f16": 6e-8, "bf16": 1e-40}
LARGEST = {"f32": 3.4028235e38, "f16": 65504.0, "bf16": 3.3895314e38}


def typed(values, dtype):
    return mx.array(np.asarray(values, np.float32)).astype(TYPES[dtype])


def wide(array):
    return np.array(array.astype(mx.float32)).astype(np.float64)


def storable(array):
    if not isinstance(array, mx.array):
        return np.asarray(array)
    if array.dtype == mx.bfloat16:
        return BF16(np.array(array.astype(mx.float32)))
    return np.array(array)


class Family:
    def __init__(self, seed, number, full):
        self.random = np.random.default_rng([seed, number])
        self.full, self.tensors, self.cases = full, {}, []

    def normal(self, shape, dtype="f32", scale=1.0):
        return typed(self.random.standard_normal(shape) * scale, dtype)

    def size(self, low, high):
        return int(self.random.integers(low, high + 1))

    def add(self, name, op, args, inputs, outputs, check, **more):
        """Inputs and outputs: arrays, or names of tensors stored before; None is left out."""
        def stored(parts):
            names = {}
            for key, value in parts.items():
                if isinstance(value, str):
                    names[key] = value
                elif value is not None:
                    names[key] = f"{name}.{key}"
                    self.tensors[names[key]] = storable(value)
            return names
        self.cases.append({"name": name, "op": op, "args": args, "inputs": stored(inputs), "outputs": stored(outputs),
                           "check": check, **more})


def parts(made):
    return dict(zip(("packed", "scales", "biases"), made))


def operands(made):
    return dict(zip(("w", "scales", "biases"), made))


def modes(widths=WIDTHS, groups=GROUPS):
    for bits in widths:
        for group in groups:
            yield {"mode": "affine", "group_size": group, "bits": bits}
    for mode, (group, bits) in FLOATING.items():
        yield {"mode": mode, "group_size": group, "bits": bits}


def label(args):
    return f"{args['mode']}_{args['bits']}_g{args['group_size']}"


# ---- quantize, dequantize, fp8

def hard_rows(f, dtype, width):
    """Rows whose groups meet zeros, ties, edges of scales, the ends of the range and random bits."""
    r, at = f.random, np.arange(width)
    sign = r.choice([-1.0, 1.0], width)
    step = {"f32": 2.0 ** -22, "f16": 2.0 ** -9, "bf16": 2.0 ** -6}[dtype]
    halves = np.array([0, .25, .5, .75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6])
    bits = r.integers(0, 2 ** 32, width, dtype=np.uint32)
    if dtype == "f16":
        anything = (bits >> 16).astype(np.uint16).view(np.float16).astype(np.float64)
    else:
        anything = (bits if dtype == "f32" else bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)
    anything = np.where(np.isfinite(anything), anything, 0.5)
    normal = lambda: r.standard_normal(width)
    first = at % 16 == 0
    rows = {
        "zeros": 0.0 * at, "negative zeros": -0.0 * np.ones(width), "zeros of both signs": sign * 0.0,
        "constant": 0.0 * at + r.uniform(0.1, 3), "below the least range": 0.0 * at + 4e-8,
        "one element": np.where(first, r.uniform(1, 9), 0.0), "outlier": np.where(first, 40 * sign, 0.01 * normal()),
        "subnormal": sign * r.integers(0, 12, width) * TINY[dtype], "ties of e2m1": np.where(first, 6.0, sign * r.choice(halves, width)),
        "near ties": np.where(first, 6.0, sign * r.choice(halves, width) * (1 + step * r.integers(-1, 2, width))),
        "ties of e4m3": np.where(first, 448.0, sign * r.integers(0, 33, width) / 16 * 2.0 ** r.integers(-8, 7, width)),
        "edges of scales": np.where(first, 6 * (1 + step * (at // 16 % 3 - 1)), normal()) * 2.0 ** (at // 32 % 9 - 4),
        "any bits": anything, "bounded bits": np.clip(anything, -3e3, 3e3), "ties of affine": r.integers(0, 31, width) / 2.0,
        "negative": -np.abs(normal()) - 0.2, "positive": np.abs(normal()) + 0.2, "symmetric": np.where(at % 2, 0.7, -0.7),
        "largest": np.where(at % 32 == 5, LARGEST[dtype], normal()), "wide": normal() * 2.0 ** r.integers(-13, 11, width),
    }
    for i in range(24 if f.full else 4):
        rows[f"normal {i}"] = normal() * 2.0 ** r.integers(-9, 3)
    with np.errstate(over="ignore"):
        return np.array(list(rows.values())).astype(np.float32), list(rows)


def quantize_case(f, name, args, w, stored, dtypes, global_scale=None):
    made = mx.quantize(w, args["group_size"], args["bits"], mode=args["mode"], global_scale=global_scale)
    inputs = {"w": stored, "global_scale": global_scale}
    f.add(name, "quantize", args, inputs, parts(made), "bits")
    again = {key: f"{name}.{key}" for key in parts(made)}
    if global_scale is not None:
        again["global_scale"] = f"{name}.global_scale"
    for dtype in dtypes:
        asked = None if args["mode"] == "affine" else TYPES[dtype]
        dense = mx.dequantize(*made, group_size=args["group_size"], bits=args["bits"], mode=args["mode"], dtype=asked,
                              global_scale=global_scale)
        f.add(f"{name} to {dtype}", "dequantize", {**args, "dtype": dtype}, again, {"w": dense.astype(TYPES[dtype])}, "bits")


def quantize_family(f, floating):
    width = 128 * f.size(1, 2) if not f.full else 128 * f.size(2, 5)
    for dtype in TYPES:
        values, names = hard_rows(f, dtype, width)
        w = typed(values, dtype)
        f.tensors[f"w_{dtype}"] = storable(w)
        for args in modes():
            if (args["mode"] != "affine") != floating:
                continue
            quantize_case(f, f"{label(args)} {dtype}", args, w, f"w_{dtype}", TYPES if floating else [dtype])
        if floating:
            some = f.normal((2 * f.size(2, 5), width), dtype, 3.0)
            f.tensors[f"some_{dtype}"] = storable(some)
            args = {"mode": "nvfp4", "group_size": 16, "bits": 4}
            quantize_case(f, f"nvfp4 {dtype} with a global scale", {**args, "dtype": dtype}, some, f"some_{dtype}", [dtype],
                          mx.max(mx.abs(some)).astype(mx.float32))
    for args in modes((3, 5), (32,)):
        if (args["mode"] != "affine") == floating:
            for i, shape in enumerate([(2, f.size(2, 4), 64), (1, 2, 3, 32), (2, args["group_size"])]):
                w = f.normal(shape)
                made = mx.quantize(w, args["group_size"], args["bits"], mode=args["mode"])
                f.add(f"{label(args)} shape {i}", "quantize", args, {"w": w}, parts(made), "bits")
    if not floating:
        mixed_types(f)


def mixed_types(f):
    """Scales and biases of every pair of types, their numbers no multiples of anything, to every type and the default."""
    for i, (scales, biases) in enumerate((s, b) for s in TYPES for b in TYPES):
        args = {"mode": "affine", "group_size": (32, 64, 128)[i % 3], "bits": WIDTHS[(2 * i + 1) % 7]}
        width, rows = 128, f.size(3, 6)
        words = f.random.integers(0, 2 ** 32, (rows, width // 32 * args["bits"]), dtype=np.uint32)
        name, shape = f"scales {scales} biases {biases}", (rows, width // args["group_size"])
        made = [mx.array(words), f.normal(shape, scales, 0.3), f.normal(shape, biases)]
        f.tensors.update({f"{name}.{key}": storable(part) for key, part in parts(made).items()})
        stored = {key: f"{name}.{key}" for key in parts(made)}
        for dtype in (None, *TYPES):
            dense = mx.dequantize(*made, group_size=args["group_size"], bits=args["bits"], dtype=dtype and TYPES[dtype])
            f.add(f"{name} to {dtype or 'default'}", "dequantize", {**args, "dtype": dtype} if dtype else args, stored, {"w": dense},
                  "bits")


def fp8_family(f):
    codes = mx.arange(256).astype(mx.uint8)
    f.tensors["codes"] = storable(codes)
    special = [0.0, -0.0, 448, 449, 464, 465, -448, 1e9, -1e9, np.inf, -np.inf, np.nan, 2.0 ** -10, 3 * 2.0 ** -10, 2.0 ** -9]
    for dtype in TYPES:
        f.add(f"from_fp8 {dtype}", "from_fp8", {"dtype": dtype}, {"x": "codes"}, {"y": mx.from_fp8(codes, dtype=TYPES[dtype])},
              "bits_nan")
        spread = f.random.standard_normal(3000) * 2.0 ** f.random.integers(-13, 10, 3000)
        x = typed(np.concatenate([special, spread]), dtype)
        f.add(f"to_fp8 {dtype}", "to_fp8", {}, {"x": x}, {"y": mx.to_fp8(x)}, "bits")


# ---- products

def exact(made, args):
    """The weights without a rounding in between, in float64."""
    group, bits = args["group_size"], args["bits"]
    if args["mode"] != "affine":
        return wide(mx.dequantize(*made, mode=args["mode"], dtype=mx.float32))
    ones = mx.ones(made[1].shape)
    codes = wide(mx.dequantize(made[0], ones, mx.zeros(made[1].shape), group, bits))
    return codes * np.repeat(wide(made[1]), group, -1) + np.repeat(wide(made[2]), group, -1)


def sums(x, w, bias=None):
    """x, w: float64, w as it is multiplied by."""
    ref, mag = x @ w, np.abs(x) @ np.abs(w)
    if bias is not None:
        mag = mag + np.abs(ref) + np.abs(bias)
        ref = ref + bias
    return {"ref": ref, "mag": mag.astype(np.float32)}


def turned(w, transpose=True):
    return np.swapaxes(w, -1, -2) if transpose else w


def product(x, made, args, op=mx.quantized_matmul, **more):
    return op(x, *made, mode=args["mode"], group_size=args["group_size"], bits=args["bits"], **more)


def quantized(f, shape, dtype, args):
    return mx.quantize(f.normal(shape, dtype, 0.4), args["group_size"], args["bits"], mode=args["mode"])


def qmm_family(f):
    rows = (1, 2, 5, 33) if not f.full else (1, 2, 3, 8, 31, 64, 129)
    for i, args in enumerate(modes(groups=(32, 128) if not f.full else GROUPS)):
        for transpose in (True, False):
            for j, m in enumerate(rows):
                dtype = list(TYPES)[(i + j + transpose) % 3]
                k, n = 128 * f.size(1, 2), f.size(9, 40)
                shape = (n, k) if transpose else (2 * n, 128)
                inner = shape[1] if transpose else shape[0]
                made = quantized(f, shape, dtype, args)
                x = f.normal((m, inner), dtype)
                y = product(x, made, args, transpose=transpose)
                f.add(f"{label(args)} {'t' if transpose else 'n'} m{m} {dtype}", "quantized_matmul", {**args, "transpose": transpose},
                      {"x": x, **operands(made)}, {"y_mlx": y, **sums(wide(x), turned(exact(made, args), transpose))}, "close",
                      dtype=dtype, terms=inner)
    b, n = f.size(2, 4), f.size(7, 20)
    for i, (xs, ws) in enumerate([((b, 3, 64), (n, 64)), ((b, 3, 64), (b, n, 64)), ((1, 3, 64), (b, n, 64)), ((b, 3, 64), (1, n, 64)),
                                  ((2, b, 2, 64), (b, n, 64)), ((2, 1, 2, 64), (1, b, n, 64)), ((64,), (n, 64))]):
        for args, dtype in (({"mode": "affine", "group_size": 32, "bits": 5}, "f16"), ({"mode": "mxfp8", "group_size": 32, "bits": 8}, "f32"),
                            ({"mode": "nvfp4", "group_size": 16, "bits": 4}, "bf16")):
            made, x = quantized(f, ws, dtype, args), f.normal(xs, dtype)
            f.add(f"{label(args)} batch {i}", "quantized_matmul", {**args, "transpose": True}, {"x": x, **operands(made)},
                  {"y_mlx": product(x, made, args), **sums(wide(x), turned(exact(made, args)))}, "close", dtype=dtype, terms=64)
    args = {"mode": "affine", "group_size": 64, "bits": 4}
    for xt, st in (("f16", "f32"), ("f32", "bf16"), ("bf16", "f16")):
        made, x = quantized(f, (n, 128), st, args), f.normal((3, 128), xt)
        f.add(f"{xt} by {st}", "quantized_matmul", {**args, "transpose": True}, {"x": x, **operands(made)},
              {"y_mlx": product(x, made, args), **sums(wide(x), turned(exact(made, args)))}, "close", dtype="f32", terms=128)


def gather_family(f):
    for i, args in enumerate(modes((2, 3, 4, 6, 8), (64,))):
        for j, kind in enumerate(("rhs", "lhs", "both", "sorted", "untransposed", "experts")):
            dtype = list(TYPES)[(i + j) % 3]
            e, n, k = f.size(3, 6), f.size(5, 14), 64
            transpose = kind != "untransposed"
            made = quantized(f, (e, n, k) if transpose else (e, 2 * n, k), dtype, args)
            inner = k if transpose else 2 * n
            batch = {"experts": (5, 1), "both": (2, 3)}.get(kind, (4,))
            x = f.normal((*batch, 1 if kind == "experts" else 3, inner), dtype)
            lhs = rhs = None
            pick = lambda top, shape: f.random.integers(0, top, shape).astype(np.uint32)
            if kind == "lhs":
                lhs = pick(4, (e,))
            elif kind == "both":
                lhs, rhs = pick(6, (3, 1)), pick(e, (2,))
            else:
                rhs = pick(e, (5, 2) if kind == "experts" else (4,))
                rhs = np.sort(rhs) if kind == "sorted" else rhs
            arrays = {"lhs_indices": None if lhs is None else mx.array(lhs), "rhs_indices": None if rhs is None else mx.array(rhs)}
            flags = {"transpose": transpose, "sorted_indices": kind == "sorted"}
            y = product(x, made, args, mx.gather_qmm, **arrays, **flags)
            flat = wide(x).reshape(-1, *x.shape[-2:])
            left = np.arange(len(flat)).reshape(x.shape[:-2]) if lhs is None else lhs
            left, right = np.broadcast_arrays(left, np.arange(e) if rhs is None else rhs)
            f.add(f"{label(args)} {kind} {dtype}", "gather_qmm", {**args, **flags}, {"x": x, **operands(made), **arrays},
                  {"y_mlx": y, **sums(flat[left], turned(exact(made, args), transpose)[right])}, "close", dtype=dtype, terms=inner)


def qqmm_family(f):
    for mode, (group, bits) in FLOATING.items():
        for dtype in TYPES:
            made = quantized(f, (f.size(5, 20), 64), dtype, {"mode": mode, "group_size": group, "bits": bits})
            x = f.normal((1, 64), dtype)
            f.add(f"{mode} {dtype}", "qqmm", {"mode": mode}, {"x": x, **operands(made)}, {"y_mlx": mx.qqmm(x, *made, mode=mode)},
                  "info", dtype=dtype, terms=64)


# ---- layers

def layer_parts(layer):
    names = {key: layer[key] for key in ("weight", "scales", "biases") if layer.get(key) is not None}
    return names, list(names.values())


def layers_family(f):
    for i, args in enumerate(modes((2, 4, 6, 8), (32, 64))):
        dtypes = list(TYPES) if f.full else [list(TYPES)[i % 3], list(TYPES)[(i + 1) % 3]]
        for dtype in dtypes:
            settings = (args["group_size"], args["bits"], args["mode"])
            table = nn.Embedding(2 * f.size(10, 20), 64)
            table.weight = f.normal(table.weight.shape, dtype)
            table = table.to_quantized(*settings)
            names, made = layer_parts(table)
            ids = mx.array(f.random.integers(0, 20, (3, 4)).astype(np.uint32))
            tag = f"{label(args)} {dtype}"
            f.add(f"embedding {tag}", "quantized_embedding", args, {"ids": ids, **names}, {"y": table(ids)}, "bits", dtype=dtype)
            x = f.normal((f.size(1, 4), 64), dtype)
            f.add(f"as_linear {tag}", "embedding_as_linear", args, {"x": x, **{key: f"embedding {tag}.{key}" for key in names}},
                  {"y_mlx": table.as_linear(x), **sums(wide(x), turned(exact(made, args)))}, "close", dtype=dtype, terms=64)
            for bias in (True, False):
                dense = nn.Linear(64, 2 * f.size(5, 15), bias=bias)
                dense.weight = f.normal(dense.weight.shape, dtype)
                if bias:
                    dense.bias = f.normal(dense.bias.shape, dtype)
                layer = dense.to_quantized(*settings)
                names, made = layer_parts(layer)
                f.add(f"linear {tag}{' bias' if bias else ''}", "quantized_linear", args,
                      {"x": x, **names, "bias": layer.bias if bias else None, "dense_weight": dense.weight},
                      {"y_mlx": layer(x), **sums(wide(x), turned(exact(made, args)), wide(layer.bias) if bias else None)}, "close",
                      dtype=dtype, terms=64, two_roundings=bias)


# ---- attention and the other functions

def attention_reference(q, k, v, scale, mask, sinks):
    repeat = q.shape[1] // k.shape[1]
    scores = scale * q @ turned(np.repeat(k, repeat, 1))
    if mask is not None:
        scores = np.where(mask, scores, float(np.finfo(np.float32).min)) if mask.dtype == bool else scores + mask
    if sinks is not None:
        column = np.broadcast_to(sinks[None, :, None, None], (*scores.shape[:-1], 1))
        scores = np.concatenate([column, scores], -1)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights[..., scores.shape[-1] - k.shape[2]:] @ np.repeat(v, repeat, 1)


def attention_family(f):
    kinds = ("none", "causal", "bool", "additive", "bool_full_row")
    for i, (heads, kv) in enumerate(((2, 2), (4, 2), (3, 1))):
        for j, (lq, lk) in enumerate(((1, f.size(5, 70)), (f.size(2, 9), 9), (5, 3), (f.size(2, 5), 66))):
            for n, kind in enumerate(kinds):
                for sink in (False, True):
                    for dtype in (TYPES if f.full else [list(TYPES)[(i + j + n + sink) % 3]]):
                        attention_case(f, (heads, kv, lq, lk), kind, sink, dtype)


def attention_case(f, sizes, kind, sink, dtype):
    heads, kv, lq, lk = sizes
    if kind == "bool_full_row" and dtype == "bf16":
        return  # MLX sums the row in bf16
    d = 8 * f.size(1, 3)
    q, k, v = f.normal((2, heads, lq, d), dtype), f.normal((2, kv, lk, d), dtype), f.normal((2, kv, lk, d), dtype)
    scale = float(np.float32(d ** -0.5))
    mask = given = None
    if kind == "causal":
        mask, given = np.arange(lk) <= np.arange(lq)[:, None] + lk - lq, "causal"
    elif kind.startswith("bool"):
        mask = f.random.random((2, 1, lq, lk)) < 0.6
        mask[..., 0] = True
        if kind == "bool_full_row":
            mask[..., 0, :] = False
        given = mx.array(mask)
    elif kind == "additive":
        given = f.normal((lq, lk), dtype)
        mask = wide(given)
    sinks = f.normal((heads,), dtype) if sink else None
    y = mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=given, sinks=sinks)
    f.add(f"{kind}{' sink' if sink else ''} {heads} on {kv} heads, {lq} on {lk} {dtype}", "scaled_dot_product_attention",
          {"scale": scale, "mask": kind}, {"q": q, "k": k, "v": v, "mask": given if isinstance(given, mx.array) else None, "sinks": sinks},
          {"y_mlx": y, "ref": attention_reference(wide(q), wide(k), wide(v), scale, mask, None if sinks is None else wide(sinks))},
          "rel", dtype=dtype, tol=TOLERANCE[dtype])


def rope_reference(x, dims, traditional, angles):
    if traditional:
        a, b = x[..., 0:dims:2], x[..., 1:dims:2]
    else:
        a, b = x[..., :dims // 2], x[..., dims // 2:dims]
    pair = a * np.cos(angles) - b * np.sin(angles), a * np.sin(angles) + b * np.cos(angles)
    rotated = np.stack(pair, -1).reshape(*x.shape[:-1], dims) if traditional else np.concatenate(pair, -1)
    return np.concatenate([rotated, x[..., dims:]], -1)


def rope_cases(f, dtype, width):
    half = width // 2
    for traditional in (True, False):
        for dims, offset, base, scale in ((width, 0, 1e4, 1.0), (half, f.size(1, 30), 5e5, 1.0), (width, f.size(500, 900), 1e4, 0.25),
                                          (half, f.size(1, 9), None, 1.0)):
            x = f.normal((2, 2, f.size(2, 6), width), dtype)
            freqs = None if base else mx.array((2e3 ** (np.arange(dims // 2) * 2 / dims)).astype(np.float32))
            y = mx.fast.rope(x, dims, traditional=traditional, base=base, scale=scale, offset=offset, freqs=freqs)
            inverse = base ** (-np.arange(dims // 2) * 2 / dims) if base else 1 / wide(freqs)
            angles = (np.arange(x.shape[2]) + offset)[:, None] * scale * inverse
            f.add(f"rope {dtype} {dims} at {offset}{' traditional' if traditional else ''}{'' if base else ' freqs'}", "rope",
                  {"dims": dims, "traditional": traditional, "base": base, "scale": scale, "offset": offset}, {"x": x, "freqs": freqs},
                  {"y_mlx": y, "ref": rope_reference(wide(x), dims, traditional, angles)}, "rel", dtype=dtype,
                  tol=TOLERANCE[dtype] + (2e-4 if offset > 100 else 0))


def fast_family(f):
    for dtype in TYPES:
        width = 16 * f.size(2, 5)
        x, gate, w, b = f.normal((2, 3, width), dtype), f.normal((2, 3, width), dtype, 4.0), f.normal((width,), dtype), f.normal((width,), dtype)
        wx, wg, ww, wb = wide(x), wide(gate), wide(w), wide(b)
        for name, array in (("x", x), ("gate", gate), ("w", w), ("b", b)):
            f.tensors[f"{name}_{dtype}"] = storable(array)
        X, G = f"x_{dtype}", f"gate_{dtype}"
        add = lambda name, op, args, inputs, y, ref: f.add(f"{name} {dtype}", op, args, inputs, {"y_mlx": y, "ref": ref}, "rel",
                                                           dtype=dtype, tol=TOLERANCE[dtype])
        eps = float(np.float32(1e-5))
        rms = wx / np.sqrt((wx ** 2).mean(-1, keepdims=True) + eps)
        add("rms_norm", "rms_norm", {"eps": 1e-5}, {"x": X, "weight": f"w_{dtype}"}, mx.fast.rms_norm(x, w, 1e-5), rms * ww)
        add("rms_norm plain", "rms_norm", {"eps": 1e-5}, {"x": X}, mx.fast.rms_norm(x, None, 1e-5), rms)
        centred = wx - wx.mean(-1, keepdims=True)
        layer = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + eps)
        add("layer_norm", "layer_norm", {"eps": 1e-5}, {"x": X, "weight": f"w_{dtype}", "bias": f"b_{dtype}"},
            mx.fast.layer_norm(x, w, b, 1e-5), layer * ww + wb)
        add("layer_norm plain", "layer_norm", {"eps": 1e-5}, {"x": X}, mx.fast.layer_norm(x, None, None, 1e-5), layer)
        powers = np.exp(wx - wx.max(-1, keepdims=True))
        for precise in (True, False):
            add(f"softmax{' precise' if precise else ''}", "softmax", {"axis": -1, "precise": precise}, {"x": X},
                mx.softmax(x, -1, precise=precise), powers / powers.sum(-1, keepdims=True))
        add("silu", "silu", {}, {"x": X}, nn.silu(x), wx / (1 + np.exp(-wx)))
        add("swiglu", "swiglu", {}, {"gate": G, "x": X}, nn.silu(gate) * x, wg / (1 + np.exp(-wg)) * wx)
        low, clipped = mx.minimum(gate, 7.0), mx.clip(x, -7.0, 7.0)
        lo, cl = np.minimum(wg, 7), np.clip(wx, -7, 7)
        add("swiglu_oai", "swiglu_oai", {"alpha": 1.702, "limit": 7.0}, {"gate": G, "x": X}, (clipped + 1) * (low * mx.sigmoid(1.702 * low)),
            (cl + 1) * lo / (1 + np.exp(-1.702 * lo)))
        rope_cases(f, dtype, width)


# ---- MPQ layers: what bitorch-engine's prepare_params does, restated, then MLX's product in f16

def mpq_case(f, bits, group, shared, bias):
    k, n = 128 * f.size(1, 2), 32 * f.size(1, 2)
    h = lambda values: np.asarray(values).astype(np.float16)
    groups, per = k // group, n if shared == -1 else shared
    cells = (groups, n // per, 1)
    r = f.random
    raw = {"qweight": r.integers(-2 ** 31, 2 ** 31, (k // 32 * bits, n)).astype(np.int32),
           "qstatistic": r.integers(0, 256, (groups, n // per, per)).astype(np.uint8),
           "qscales_zeros": h(r.uniform(-3, 2, cells)), "qscales_scales": h(r.uniform(1e-4, 3e-3, cells)),
           "qzeros_zeros": h(r.uniform(0, 12, cells)), "qzeros_scales": h(r.uniform(1e-3, 1e-2, cells))}
    scales = h(h(h(raw["qstatistic"] >> 4) - raw["qscales_zeros"]) * raw["qscales_scales"]).reshape(groups, n)
    zeros = h(h(h(raw["qstatistic"] & 15) - raw["qzeros_zeros"]) * raw["qzeros_scales"]).reshape(groups, n)
    made = [mx.array(np.ascontiguousarray(part)) for part in (raw["qweight"].T.astype(np.uint32), scales.T, -zeros.T)]
    x = f.normal((f.size(1, 5), k), "f16", 0.3)
    b = f.normal((n,), "f16", 0.2) if bias else None
    y = mx.quantized_matmul(x, *made, group_size=group, bits=bits)
    args = {"w_bit": bits, "a_bit": 16, "group_size": group, "dq_group_size": shared, "dq_mode": 2, "asym": False,
            "use_gba_quant": True, "disable_bias": not bias}
    name = f"gba {bits} bits g{group} dq{shared}{' bias' if bias else ''}"
    f.add(f"{name} prepare", "mpq_prepare", args, raw, dict(zip(("weight", "scales", "biases"), made)), "bits")
    stored = {key: f"{name} prepare.{key}" for key in raw}
    weights = exact(made, {"mode": "affine", "group_size": group, "bits": bits})
    f.add(name, "mpq_forward", args, {"x": x, **stored, "bias": b},
          {"y_mlx": y if b is None else y + b, **sums(wide(x), weights.T, None if b is None else wide(b))}, "close", dtype="f16",
          terms=k, two_roundings=bias)


def gptq_case(f, bits, group):
    k, n, per = 128 * f.size(1, 2), 32 * f.size(1, 2), 32 // bits
    shifts, top = np.arange(per, dtype=np.uint32) * bits, 2 ** bits - 1
    words = lambda shape: f.random.integers(-2 ** 31, 2 ** 31, shape).astype(np.int32)
    raw = {"qweight": words((k // per, n)), "qzeros": words((k // group, n // per)),
           "scales": f.random.uniform(1e-3, 4e-3, (k // group, n)).astype(np.float16)}
    codes = (raw["qweight"].view(np.uint32)[:, None, :] >> shifts[:, None] & top).reshape(k, n).astype(np.float64)
    zeros = (raw["qzeros"].view(np.uint32)[:, :, None] >> shifts & top).reshape(k // group, n) + 1.0
    dense = np.repeat(raw["scales"].astype(np.float64), group, 0) * (codes - np.repeat(zeros, group, 0))
    x = f.normal((f.size(1, 5), k), "f16", 0.3)
    # The two terms of a weight nearly cancel in places, so that the bound is that of affine mode.
    scales = np.repeat(raw["scales"].astype(np.float64), group, 0)
    mag = np.abs(wide(x)) @ (scales * (codes + np.repeat(zeros, group, 0)))
    f.add(f"gptq {bits} bits g{group}", "mpq_forward", {"w_bit": bits, "a_bit": 16, "group_size": group, "asym": True,
          "use_gba_quant": False, "disable_bias": True}, {"x": x, **raw}, {"ref": wide(x) @ dense, "mag": mag.astype(np.float32)},
          "close", dtype="f16", terms=k)


def mpq_family(f):
    for bits in (2, 4, 8):
        for i, group in enumerate(GROUPS):
            for shared in (-1, 32) if f.full else ((-1, 32)[i % 2],):
                for bias in (False, True):
                    mpq_case(f, bits, group, shared, bias)
            gptq_case(f, bits, group)


# ---- the small model

class Block(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate, self.up = nn.Linear(width, inner, bias=True), nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def __call__(self, h):
        return h + self.down(nn.silu(self.gate(h)) * self.up(h))


class GoldenTiny(nn.Module):
    def __init__(self, vocabulary, width, inner):
        super().__init__()
        self.embed, self.norm = nn.Embedding(vocabulary, width), nn.RMSNorm(width)
        self.layers = [Block(width, inner), Block(width, inner)]

    def __call__(self, ids):
        h = self.embed(ids)
        for layer in self.layers:
            h = layer(h)
        return self.embed.as_linear(self.norm(h))


def checkpoint(f, folder):
    from mlx.utils import tree_flatten, tree_map
    vocabulary = 8 * f.size(4, 8)
    model = GoldenTiny(vocabulary, 64, 64 * f.size(1, 3))
    model.update(tree_map(lambda p: f.normal(p.shape, scale=0.3 * p.shape[-1] ** -0.25), model.parameters()))
    own = {"embed": {"group_size": 64, "bits": 6}, "layers.0.up": {"group_size": 16, "bits": 4, "mode": "nvfp4"},
           "layers.1.gate": False, "layers.1.down": {"group_size": 32, "bits": 8, "mode": "mxfp8"},
           "layers.0.down": {"group_size": 32, "bits": 5}}
    nn.quantize(model, 64, 4, class_predicate=lambda path, layer: own.get(path, hasattr(layer, "to_quantized")))
    os.makedirs(folder, exist_ok=True)
    save(os.path.join(folder, "model.safetensors"), {key: storable(value) for key, value in tree_flatten(model.parameters())},
         {"format": "mlx"})
    quantization = {"group_size": 64, "bits": 4, "mode": "affine", **own}
    with open(os.path.join(folder, "config.json"), "w") as out:
        json.dump({"model_type": "golden_tiny", "quantization": quantization, "quantization_config": quantization}, out, indent=1)
        out.write("\n")
    ids = mx.array(f.random.integers(0, vocabulary, (1, f.size(3, 9))).astype(np.uint32))
    save(os.path.join(folder, "expected.safetensors"), {"ids": storable(ids), "logits": storable(model(ids))})
    return {"dir": "checkpoint", "weights": "model.safetensors", "config": "config.json", "expected": "expected.safetensors", "tol": 2e-4}


FAMILIES = {"quantize_affine": lambda f: quantize_family(f, False), "quantize_fp": lambda f: quantize_family(f, True),
            "fp8": fp8_family, "qmm": qmm_family, "gather_qmm": gather_family, "qqmm": qqmm_family, "layers": layers_family,
            "attention": attention_family, "fast": fast_family, "mpq": mpq_family}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", choices=("small", "full"), default="small")
    options = parser.parse_args()
    mx.set_default_device(mx.cpu)
    os.makedirs(options.target, exist_ok=True)
    families = {}
    for number, (name, fill) in enumerate(FAMILIES.items()):
        family = Family(options.seed, number, options.size == "full")
        fill(family)
        save(os.path.join(options.target, name + ".safetensors"), family.tensors)
        families[name] = {"file": name + ".safetensors", "cases": family.cases}
        print(f"{name}: {len(family.cases)} cases")
    small = checkpoint(Family(options.seed, len(FAMILIES), False), os.path.join(options.target, "checkpoint"))
    manifest = {"version": 1, "oracle": {"mlx": mx.__version__, "device": "cpu"}, "seed": options.seed, "families": families,
                "checkpoint": small, "errors": golden_errors.refused(), "accepted": golden_errors.accepted()}
    with open(os.path.join(options.target, "manifest.json"), "w") as out:
        json.dump(manifest, out, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
