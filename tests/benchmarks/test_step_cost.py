"""What one Adam step costs, against the number of weights, beside the peers that are installed.

pytest tests/benchmarks --benchmark-only --benchmark-json=speed.json
python assets/make_benchmark_table.py speed.json
"""

import numpy as np
import pytest
from steppers import STEPPERS

from optim_lessons.adam import adam
from optim_lessons.lab import fused as module
from optim_lessons.lab.fused import fused
from optim_lessons.lab.tape import blocks

SIZES = [10**k for k in range(1, 8)]


@pytest.mark.parametrize(
    ("size", "dtype"), [*((size, "float32") for size in SIZES), (SIZES[-1], "float64")], ids=str
)
@pytest.mark.parametrize("who", STEPPERS)
def test_cost_of_an_adam_step(benchmark, monkeypatch, who, size, dtype):
    if who == "fused, blocks":
        monkeypatch.setattr(module, "compiler", lambda: (False, ""))
        monkeypatch.setattr(blocks, "compiled", lambda *args: None)
    if benchmark.disabled:
        size = min(size, 10**6)  # run as a test, it need not be large
    benchmark.group = f"one Adam step of {size} {dtype} weights"
    benchmark.extra_info.update(kind="step", who=who, size=size, dtype=dtype)
    step = STEPPERS[who](size, dtype)
    step()
    w = benchmark(step)
    assert len(w) == size
    assert bool(abs(w[:10]).max() < np.inf)


def test_python_overhead_of_a_fused_step(benchmark, monkeypatch):
    """What a call costs beside the computation: checks, trace, and the way to the kernel."""
    monkeypatch.setattr(module, "pays", lambda size: True)
    monkeypatch.setattr(module, "play", lambda tape, wanted, into: [None] * len(wanted))
    benchmark.extra_info.update(kind="overhead")
    w = np.ones(10, np.float32)
    step = fused(adam)
    *_, t = benchmark(step, w, w, w, w, 5, lr=1e-3)
    assert t == 6
