"""Copies the golden cases that clmx covers, with the tensors they use.

usage: reduce_golden.py GOLDEN TARGET
GOLDEN holds manifest.json and one safetensors file per family. Needs nothing but Python.
"""
import json
import os
import sys

from reduce_models import read, write

FAMILIES = ["quantize_affine", "quantize_fp", "qmm", "layers", "attention", "fast"]
UNUSED_OPS = ["softmax", "layer_norm", "swiglu_oai"]


def supported(args):
    if "mode" not in args or args["mode"] == "mxfp4":
        return True
    return args["mode"] == "affine" and args["bits"] in (4, 8) and args["group_size"] in (32, 64)


def covered(case):
    args = case["args"]
    if case["op"] in UNUSED_OPS or not supported(args) or not args.get("transpose", True):
        return False
    return args.get("mask", "none") in ("none", "causal") and "sinks" not in case["inputs"]


def main():
    source, target = sys.argv[1:]
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(source, "manifest.json")) as f:
        manifest = json.load(f)
    families = {}
    for name in FAMILIES:
        family = manifest["families"][name]
        family["cases"] = [case for case in family["cases"] if covered(case)]
        used = {tensor for case in family["cases"]
                for tensor in [*case["inputs"].values(), *case["outputs"].values()]}
        tensors = read(os.path.join(source, family["file"]))
        write(os.path.join(target, family["file"]), {tensor: tensors[tensor] for tensor in used})
        families[name] = family
    reduced = {**manifest, "families": families}
    del reduced["checkpoint"]
    with open(os.path.join(target, "manifest.json"), "w") as f:
        json.dump(reduced, f, indent=0)
        f.write("\n")


if __name__ == "__main__":
    main()
