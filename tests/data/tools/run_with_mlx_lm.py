"""Runs a folder that `clmx quantize` made with mlx-lm and compares the logits with clmx's own.

usage: run_with_mlx_lm.py FOLDER LOGITS TOKENS (LOGITS: what `clmx logits --tokens TOKENS --output LOGITS` wrote)
Needs the pip package mlx-lm==0.32.2 (with transformers). mlx-lm computes in the checkpoint's 16-bit floats, clmx in
f32: the largest difference may be 2 % of the largest logit. Exits with 1 when it is more.
"""
import sys
from pathlib import Path

import mlx.core as mx
from mlx_lm.utils import load_model


def main():
    folder, logits, tokens = sys.argv[1:]
    model, _ = load_model(Path(folder))
    theirs = model(mx.array([[int(token) for token in tokens.split(",")]]))[0].astype(mx.float32)
    ours = mx.load(logits)["logits"].reshape(theirs.shape)
    share = (mx.abs(ours - theirs).max() / mx.abs(theirs).max()).item()
    print(f"  mlx-lm: {theirs.shape[0]} positions, largest difference {100 * share:.2f} % of the largest logit")
    sys.exit(0 if share < 0.02 else 1)


if __name__ == "__main__":
    main()
