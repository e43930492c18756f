"""Compares a folder that `clmx quantize` made with what MLX's own quantize gives, bit for bit.

usage: check_quantized.py SOURCE RESULT [--bits N] [--group-size N] [--mode MODE]
Needs the pip packages mlx[cpu]==0.32.4 and numpy. Layers that config.json lists by path are compared with those
parameters; a layer without .scales has to be the source's tensor. Exits with 1 when anything differs.
"""
import argparse
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


def parameters_of(path, config):
    entry = config["quantization"].get(path, config["quantization"])
    mode = entry.get("mode", "affine")
    group_size, bits = DEFAULTS[mode]
    return {"group_size": entry.get("group_size", group_size), "bits": entry.get("bits", bits), "mode": mode}


def expected(source, result, source_config, config):
    """What has to be in the result, by name."""
    left_out = {"lm_head.weight"} if source_config.get("tie_word_embeddings") else set()
    for name, tensor in source.items():
        if name in left_out or name.endswith("rotary_emb.inv_freq"):
            continue
        path = name[: -len(".weight")] if name.endswith(".weight") else None
        if path is None or path + ".scales" in source or path + ".scales" not in result:
            yield name, tensor
            continue
        for part, value in zip(PARTS, mx.quantize(tensor, **parameters_of(path, config))):
            yield f"{path}.{part}", value


def check_config(source, config, wanted, problems):
    if config.get("quantization") != config.get("quantization_config"):
        problems.append("quantization and quantization_config differ")
    for key, value in source.items():
        if not key.startswith("quantization") and config.get(key) != value:
            problems.append(f"config.json: {key} was changed")
    if "quantization" not in source:
        top = {key: config["quantization"].get(key) for key in wanted}
        if top != wanted:
            problems.append(f"config.json: quantization is {top}, not {wanted}")


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
    arguments = parser.parse_args()
    group_size, bits = DEFAULTS[arguments.mode]
    wanted = {"group_size": arguments.group_size or group_size, "bits": arguments.bits or bits,
              "mode": arguments.mode}
    problems = []
    source, source_config = load(arguments.source), config_of(arguments.source)
    all_metadata.clear()
    result, config = load(arguments.result), config_of(arguments.result)
    if any(metadata.get("format") != "mlx" for metadata in all_metadata):
        problems.append("a file's metadata lack the format mlx")
    check_config(source_config, config, wanted, problems)
    check_index(arguments.result, result, problems)
    compared = set()
    for name, tensor in expected(source, result, source_config, config):
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
