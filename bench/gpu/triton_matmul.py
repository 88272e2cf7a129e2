"""A product of bf16 matrices by Triton, as compare.py's contestant: imported only where torch and triton are installed."""
import torch
import triton
import triton.language as tl

CONFIGS = [triton.Config({"ROWS": rows, "OUTPUTS": outputs, "STEP": 64, "GROUP": 8}, num_stages=stages, num_warps=warps)
           for rows, outputs, stages, warps in ((128, 256, 3, 8), (256, 128, 3, 8), (128, 128, 4, 8), (128, 128, 4, 4),
                                                (128, 64, 4, 4), (64, 128, 4, 4))]


@triton.autotune(configs=CONFIGS, key=["rows", "outputs", "columns"])
@triton.jit
def multiply_tile(x, w, y, rows, outputs, columns, ROWS: tl.constexpr, OUTPUTS: tl.constexpr, STEP: tl.constexpr,
                  GROUP: tl.constexpr):
    """y[rows, outputs] = x[rows, columns] w[outputs, columns] transposed; `columns` are whole steps."""
    across, down = tl.cdiv(outputs, OUTPUTS), tl.cdiv(rows, ROWS)
    first = tl.program_id(0) // (GROUP * across) * GROUP  # GROUP rows of tiles take turns, so that they meet in the cache
    within, size = tl.program_id(0) % (GROUP * across), min(down - first, GROUP)
    row = (first + within % size) * ROWS + tl.arange(0, ROWS)
    output = within // size * OUTPUTS + tl.arange(0, OUTPUTS)
    column = tl.arange(0, STEP)
    left = x + (row % rows)[:, None] * columns + column[None, :]
    right = w + (output % outputs)[None, :] * columns + column[:, None]
    sums = tl.zeros((ROWS, OUTPUTS), dtype=tl.float32)
    for _ in range(0, columns, STEP):
        sums = tl.dot(tl.load(left), tl.load(right), sums)
        left += STEP
        right += STEP
    inside = (row < rows)[:, None] & (output < outputs)[None, :]
    tl.store(y + row[:, None] * outputs + output[None, :], sums.to(tl.bfloat16), mask=inside)


def matmul(x, w):
    """A function that multiplies these into one output that it keeps."""
    (rows, columns), outputs = x.shape, w.shape[0]
    if columns % 64:
        raise ValueError("columns are no whole steps")
    y = torch.empty(rows, outputs, device=x.device, dtype=torch.bfloat16)

    def run():
        grid = lambda chosen: (triton.cdiv(rows, chosen["ROWS"]) * triton.cdiv(outputs, chosen["OUTPUTS"]),)
        multiply_tile[grid](x, w, y, rows, outputs, columns)
        return y
    return run
