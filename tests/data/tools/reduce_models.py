"""Copies small checkpoints and the parts of their references that the tests read.

usage: reduce_models.py REFERENCES TARGET
REFERENCES holds tiny_dev/<name> (an MLX folder with reference/logits.safetensors) and
smollm2_dev/golden.{json,safetensors}. Needs nothing but Python.
"""
import json
import os
import shutil
import struct
import sys

TINY = ["llama_affine4_g64_bf16", "llama_affine8_g64_bf16", "llama_affine4_g64_f16_tied", "llama_mxfp4",
        "llama_sharded_affine4", "llama_traditional_rope_f16", "llama_affine4_g32_f32_bias_llama3rope",
        "llama_unquantized_f16_tied"]


def read(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    header.pop("__metadata__", None)
    return {name: (e["dtype"], e["shape"], data[e["data_offsets"][0]:e["data_offsets"][1]])
            for name, e in header.items()}


def write(path, tensors):
    header, at = {}, 0
    for name in sorted(tensors):
        dtype, shape, data = tensors[name]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(tensors):
            f.write(tensors[name][2])


def keep(source, target, wanted):
    write(target, {n: t for n, t in read(source).items() if wanted(n)})


def main(references, target):
    for name in TINY:
        source, to = os.path.join(references, "tiny_dev", name), os.path.join(target, "tiny", name)
        os.makedirs(to, exist_ok=True)
        for file in os.listdir(source):
            if os.path.isfile(os.path.join(source, file)):
                shutil.copyfile(os.path.join(source, file), os.path.join(to, file))
        keep(os.path.join(source, "reference", "logits.safetensors"), os.path.join(to, "reference.safetensors"),
             lambda n: n.endswith((".tokens", ".logits_f64ref", ".greedy_tokens")))
    os.makedirs(os.path.join(target, "smollm2"), exist_ok=True)
    golden = json.load(open(os.path.join(references, "smollm2_dev", "golden.json")))
    fields = ("name", "tokens", "greedy64", "greedy64_margin", "first_eos", "messages", "text")
    prompts = [{k: p[k] for k in fields} for p in golden["prompts"]]
    with open(os.path.join(target, "smollm2", "golden.json"), "w") as f:
        json.dump({"prompts": prompts}, f, separators=(",", ":"))
        f.write("\n")
    keep(os.path.join(references, "smollm2_dev", "golden.safetensors"),
         os.path.join(target, "smollm2", "golden.safetensors"), lambda n: n.endswith(".logits_f64ref"))


if __name__ == "__main__":
    main(*sys.argv[1:])
