"""Writes a small folder of dense tensors of every kind that `clmx quantize` tells apart.

usage: make_dense.py TARGET DTYPE (float32, float16 or bfloat16)
Needs the pip package mlx[cpu]==0.32.4.
"""
import json
import os
import sys

import mlx.core as mx

SHAPES = {"embed_tokens.weight": (97, 128), "l.0.q_proj.weight": (33, 256), "l.0.q_proj.bias": (33,),
          "l.0.odd.weight": (8, 72), "l.0.norm.weight": (256,), "l.0.conv1d.weight": (8, 4, 128),
          "l.0.experts.up.weight": (3, 17, 128), "l.0.switch_mlp.down.weight": (2, 5, 256),
          "l.0.mlp.gate.weight": (4, 128),
          "l.0.rotary_emb.inv_freq": (16,), "table": (4, 128)}


def main():
    target, dtype = sys.argv[1], getattr(mx, sys.argv[2])
    mx.random.seed(6)
    tensors = {name: (mx.random.normal(shape) * 0.3).astype(dtype) for name, shape in SHAPES.items()}
    tensors["l.0.zero.weight"] = mx.zeros((3, 128), dtype)
    tensors["ids"] = mx.arange(5, dtype=mx.int64)
    os.makedirs(target, exist_ok=True)
    mx.save_safetensors(os.path.join(target, "model.safetensors"), tensors)
    with open(os.path.join(target, "config.json"), "w") as f:
        json.dump({"model_type": "made", "rope_theta": 1e6, "name": "\u00e4"}, f)


if __name__ == "__main__":
    main()
