"""What a step of Muon on one matrix costs beside AdamW's, here and in PyTorch: time, and numbers kept.

PyTorch's Muon multiplies in bfloat16, which is slow on a processor that has no units for it.

pytest tests/benchmarks/test_matrix_step.py --benchmark-only --benchmark-columns=median,iqr
"""

import numpy as np
import pytest

from optim_lessons.beyond_adam import muon
from optim_lessons.weight_decay import adamw

ARRAYS = {"Muon": 1, "AdamW": 2}  # numbers kept for each weight


def ours(rule, w, g):
    """Return a step of a rule of the course, and a function that counts the numbers it keeps."""
    state = []

    def step():
        nonlocal w, state
        w, *state = rule(w, g, *state, lr=1e-3)
        return w

    return step, lambda: sum(np.size(x) for x in state if np.ndim(x))


def torchs(name, w, g):
    """Return a step of PyTorch's optimizer on one matrix, and a function that counts what it keeps."""
    torch = pytest.importorskip("torch")
    if not hasattr(torch.optim, name):
        pytest.skip(f"this PyTorch has no {name}")
    p = torch.nn.Parameter(torch.from_numpy(w))
    p.grad = torch.from_numpy(g)
    optimizer = getattr(torch.optim, name)([p], lr=1e-3)

    def step():
        optimizer.step()
        return p.detach().numpy()

    return step, lambda: sum(x.numel() for x in optimizer.state[p].values() if torch.is_tensor(x) and x.ndim)


MAKERS = {
    "here, Muon": lambda w, g: ours(muon, w, g),
    "here, AdamW": lambda w, g: ours(adamw, w, g),
    "PyTorch, Muon": lambda w, g: torchs("Muon", w, g),
    "PyTorch, AdamW": lambda w, g: torchs("AdamW", w, g),
}


@pytest.mark.parametrize("side", [64, 256])
@pytest.mark.parametrize("who", MAKERS)
def test_cost_of_a_step_of_a_matrix(benchmark, who, side):
    if benchmark.disabled:
        side = min(side, 64)
    w, g = np.random.default_rng(0).standard_normal((2, side, side), dtype=np.float32)
    benchmark.group = f"one step of a matrix {side} × {side}, float32"
    step, kept = MAKERS[who](w, g)
    step()
    w = benchmark(step)
    assert np.isfinite(w).all()
    assert kept() == ARRAYS[who.split(", ")[1]] * side**2
