"""Compares a folder that `clmx quantize` made with what MLX's own quantize gives, bit for bit.

usage: check_quantized.py SOURCE RESULT [--bits N] [--group-size N] [--mode MODE] [--plan FILE]
Needs the pip package mlx[cpu]==0.32.4. Every float matrix `<path>.weight`, or stack of experts' ones, whose width the
group size divides, has to be quantized by the plan's parameters or the options', but for routers that the plan does not
name; all else has to be the source's tensor. Exits with 1 when anything differs.
"""
import argparse
import fnmatch
import glob
import json
import os
import sys

import mlx.core as mx

DEFAULTS = {"affine": (64, 4), "mxfp4": (32, 4), "mxfp8": (32, 8), "nvfp4": (16, 4)}
PARTS = ("weight", "scales", "biases")


def load(folder):
    tensors = {}
    for path in sorted(glob.glob(os.path.join(folder, "model*.safetensors"))):
        found, metadata = mx.load(path, return_metadata=True)
        all_metadata.append(metadata)
        assert not tensors.keys() & found.keys(), f"{path} repeats a tensor"
        tensors.update(found)
    return tensors


all_metadata = []


def config_of(folder):
    with open(os.path.join(folder, "config.json")) as f:
        return json.load(f)


def same(a, b):
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    as_bytes = lambda x: mx.view(mx.contiguous(x.reshape(-1)), mx.uint8)
    return bool(mx.array_equal(as_bytes(a), as_bytes(b)))


def parameters_of(path, wanted, plan):
    """What the plan's first pattern that fits says, else the options; None: kept, as are routers."""
    for pattern, value in plan.items():
        if fnmatch.fnmatchcase(path, pattern):
            if value == "keep":
                return None
            mode = value.get("mode", "affine")
            group_size, bits = DEFAULTS[mode]
            return {"group_size": value.get("group_size", group_size), "bits": value.get("bits", bits), "mode": mode}
    routers = {"gate", "shared_expert_gate", "router"}
    return None if routers & set(path.split(".")[-2:]) else wanted


def is_layer(name, tensor, source):
    path = name[: -len(".weight")] if name.endswith(".weight") else ""
    stack = any(part == "experts" or part.startswith("switch_") for part in path.split("."))
    matrix = tensor.ndim == 2 or (tensor.ndim == 3 and stack)
    return path and path + ".scales" not in source and matrix and mx.issubdtype(tensor.dtype, mx.floating)


def expected(source, source_config, wanted, plan):
    """What has to be in the result, by name."""
    left_out = {"lm_head.weight"} if source_config.get("tie_word_embeddings") else set()
    for name, tensor in source.items():
        if name in left_out or name.endswith("rotary_emb.inv_freq"):
            continue
        path = name[: -len(".weight")]
        parameters = parameters_of(path, wanted, plan) if is_layer(name, tensor, source) else None
        if not parameters or tensor.shape[-1] % parameters["group_size"]:
            yield name, tensor
            continue
        for part, value in zip(PARTS, mx.quantize(tensor, **parameters)):
            yield f"{path}.{part}", value


def expected_entries(source, wanted, plan):
    """The layers that config.json has to list, by path."""
    for name, tensor in source.items():
        path = name[: -len(".weight")]
        if is_layer(name, tensor, source) and any(fnmatch.fnmatchcase(path, pattern) for pattern in plan):
            yield path, parameters_of(path, wanted, plan) or False


def check_config(source, config, wanted, entries, problems):
    if config.get("quantization") != config.get("quantization_config"):
        problems.append("quantization and quantization_config differ")
    for key, value in source.items():
        if not key.startswith("quantization") and config.get(key) != value:
            problems.append(f"config.json: {key} was changed")
    if "quantization" not in source:
        if config["quantization"] != {**wanted, **entries}:
            problems.append(f"config.json: quantization is {config['quantization']}, not {wanted} and {entries}")


def check_index(folder, tensors, problems):
    with open(os.path.join(folder, "model.safetensors.index.json")) as f:
        index = json.load(f)
    if index["weight_map"].keys() != tensors.keys():
        problems.append("the index lists other tensors")
    if index["metadata"]["total_size"] != sum(tensor.nbytes for tensor in tensors.values()):
        problems.append("the index has another total_size")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("result")
    parser.add_argument("--mode", default="affine")
    parser.add_argument("--bits", type=int)
    parser.add_argument("--group-size", type=int)
    parser.add_argument("--plan")
    arguments = parser.parse_args()
    group_size, bits = DEFAULTS[arguments.mode]
    wanted = {"group_size": arguments.group_size or group_size, "bits": arguments.bits or bits,
              "mode": arguments.mode}
    plan = {}
    if arguments.plan:
        with open(arguments.plan) as f:
            plan = json.load(f)
    problems = []
    source, source_config = load(arguments.source), config_of(arguments.source)
    all_metadata.clear()
    result, config = load(arguments.result), config_of(arguments.result)
    if any(metadata.get("format") != "mlx" for metadata in all_metadata):
        problems.append("a file's metadata lack the format mlx")
    check_config(source_config, config, wanted, dict(expected_entries(source, wanted, plan)), problems)
    check_index(arguments.result, result, problems)
    compared = set()
    for name, tensor in expected(source, source_config, wanted, plan):
        compared.add(name)
        if name not in result or not same(tensor, result[name]):
            problems.append(f"{name} differs")
    problems += [f"{name} should not be there" for name in result.keys() - compared]
    if not any(name.endswith(".scales") for name in result):
        problems.append("nothing is quantized")
    print(*problems, sep="\n", end="\n" if problems else "")
    print(f"{len(compared)} tensors compared, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
