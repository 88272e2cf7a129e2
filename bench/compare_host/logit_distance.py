"""How far logits are from others: KL divergence in nats, mean over positions, and the share of equal best tokens."""
import array
import ast
import math
import sys

MAGIC = b"\x93NUMPY\x01\x00"


def read_npy(path):
    """Rows of a NumPy file of float32 [positions, vocabulary]."""
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ValueError(f"{path}: no NumPy file of version 1")
        header = ast.literal_eval(file.read(int.from_bytes(file.read(2), "little")).decode("latin-1"))
        shape = header["shape"]
        if header["descr"] != "<f4" or header["fortran_order"] or len(shape) != 2 or sys.byteorder != "little":
            raise ValueError(f"{path}: not rows of little-endian float32, but {header}")
        values = array.array("f")
        values.frombytes(file.read())
    rows, columns = shape
    if len(values) != rows * columns:
        raise ValueError(f"{path}: {len(values)} numbers are not {rows} rows of {columns}")
    return [values[row * columns:(row + 1) * columns] for row in range(rows)]


def log_probabilities(logits):
    largest = max(logits)
    scale = largest + math.log(math.fsum(math.exp(x - largest) for x in logits))
    return [x - scale for x in logits]


def divergence(right, other):
    """Sum of p log(p / q) of one position, p the right one's probabilities."""
    p, q = log_probabilities(right), log_probabilities(other)
    return math.fsum(math.exp(a) * (a - b) for a, b in zip(p, q))


def distance(right, other):
    """right, other: [positions][vocabulary] logits."""
    if len(right) != len(other) or any(len(a) != len(b) for a, b in zip(right, other)):
        raise ValueError("logits of different shapes cannot be compared")
    if not all(map(math.isfinite, (x for row in other for x in row))):
        raise ValueError("there are logits that are no numbers")
    same = sum(max(range(len(a)), key=a.__getitem__) == max(range(len(b)), key=b.__getitem__) for a, b in zip(right, other))
    kl = [divergence(a, b) for a, b in zip(right, other)]
    return {"kl_divergence": math.fsum(kl) / len(kl), "kl_largest": max(kl), "top_token_agreement": same / len(kl)}
