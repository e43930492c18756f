"""Reads and writes safetensors files; bf16 travels as the high halves of f32 values."""
import json
import struct

import numpy as np

NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "uint32": "U32", "int32": "I32", "uint8": "U8",
         "bool": "BOOL"}


class BF16:
    """Values that bf16 holds exactly, given as f32."""

    def __init__(self, values):
        self.halves = (np.ascontiguousarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)
        self.halves = self.halves.reshape(np.shape(values))


def described(value):
    if isinstance(value, BF16):
        return "BF16", value.halves
    array = np.asarray(value)
    return NAMES[str(array.dtype)], array


def save(path, tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name in sorted(tensors):
        kind, array = described(tensors[name])
        piece = array.tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
