"""What a step costs with Muon for hidden matrices, and with AdamW for all: here and in PyTorch, one network.

Time, and the numbers kept between two steps. PyTorch's Muon multiplies in bfloat16, which is slow on a
processor that has no units for it.

pytest tests/benchmarks/test_muon_cost.py --benchmark-only --benchmark-columns=median,iqr
"""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from optim_lessons.beyond_adam import by_layer, muon
from optim_lessons.weight_decay import adamw


def network(width):
    """Return a network: its sizes, how many weights are in hidden matrices and elsewhere, a w and a g."""
    sizes = (64, width, width, 10)
    hidden = sum(a * b for a, b in list(pairwise(sizes))[:-1])
    weights = sum((a + 1) * b for a, b in pairwise(sizes))
    w, g = np.random.default_rng(0).standard_normal((2, weights), dtype=np.float32)
    return SimpleNamespace(sizes=sizes, hidden=hidden, rest=weights - hidden, w=w, g=g)


def ours(net, rule):
    """Return a step of a rule of the course, and a function that counts the numbers it keeps."""
    w, state = net.w, []

    def step():
        nonlocal w, state
        w, *state = rule(w, net.g, *state)
        return w

    return step, lambda: sum(np.size(x) for x in state if np.ndim(x))


def torchs(net, muon_too):
    """Return a step of PyTorch's optimizers, and a function that counts the numbers they keep."""
    torch = pytest.importorskip("torch")
    if muon_too and not hasattr(torch.optim, "Muon"):
        pytest.skip("this PyTorch has no Muon")
    hidden, rest, end = [], [], 0
    for a, b in pairwise(net.sizes):
        for shape in ((b, a), (b,)):
            piece = slice(end, end + int(np.prod(shape)))
            end = piece.stop
            p = torch.nn.Parameter(torch.from_numpy(net.w[piece].reshape(shape).copy()))
            p.grad = torch.from_numpy(net.g[piece].reshape(shape).copy())
            (hidden if len(shape) == 2 and b != net.sizes[-1] else rest).append(p)
    optim = torch.optim
    optimizers = [optim.Muon(hidden), optim.AdamW(rest)] if muon_too else [optim.AdamW(hidden + rest)]

    def step():
        for optimizer in optimizers:
            optimizer.step()
        return np.concatenate([p.detach().numpy().ravel() for p in hidden + rest])

    def kept():
        states = (x for optimizer in optimizers for of in optimizer.state.values() for x in of.values())
        return sum(x.numel() for x in states if torch.is_tensor(x) and x.ndim)

    return step, kept


STEPS = {
    "here, Muon": lambda net: ours(net, by_layer(muon, adamw, net)),
    "here, AdamW": lambda net: ours(net, adamw),
    "PyTorch, Muon": lambda net: torchs(net, muon_too=True),
    "PyTorch, AdamW": lambda net: torchs(net, muon_too=False),
}


@pytest.mark.parametrize("width", [32, 128, 512])
@pytest.mark.parametrize("who", STEPS)
def test_cost_of_a_step_of_a_network(benchmark, who, width):
    net = network(32 if benchmark.disabled else width)
    benchmark.group = f"one step, network 64-{width}-{width}-10, float32"
    step, kept = STEPS[who](net)
    step()
    w = benchmark(step)
    assert np.isfinite(w).all()
    assert kept() == (1 if "Muon" in who else 2) * net.hidden + 2 * net.rest
