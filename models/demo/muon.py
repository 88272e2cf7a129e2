"""The Muon optimizer for matrices and for stacks of matrices (experts), which torch.optim.Muon does not take.

Each update is the momentum with its singular values brought near one, so that rare directions move as fast
as common ones. On the small stories this reaches copying (the right name, color, place) several times
sooner than AdamW, which trains what is not a matrix.
"""

import torch

MOMENTUM = 0.95
# Quintic whose repeated use drives singular values from (0, 1] to about one; the usual coefficients.
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
# Makes the root mean square of an update about that of AdamW, so that learning rates compare.
UPDATE_SCALE = 0.2


def orthogonalize(update):
    """[..., rows, columns] -> the same shape with all singular values near one, by Newton-Schulz in bfloat16."""
    tall = update.shape[-2] > update.shape[-1]
    x = (update.mT if tall else update).bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    return (x.mT if tall else x).to(update.dtype)


class Muon(torch.optim.Optimizer):
    def __init__(self, parameters, lr, weight_decay):
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
                update = orthogonalize(parameter.grad.lerp(state["momentum"], MOMENTUM))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * UPDATE_SCALE * max(parameter.shape[-2:]) ** 0.5)
