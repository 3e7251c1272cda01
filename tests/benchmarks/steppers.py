"""One Adam step as the users of each library write it, so that speeds can be compared in one run.

Each maker takes a size and a dtype's name, and returns a function that steps and returns the weights.
"""

import importlib.util
import os
from functools import partial

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.lab.fused import fused, gpu


def _walk(rule, xp, size, dtype, wait=lambda: None):
    rng = np.random.default_rng(0)
    w, g = (xp.asarray(rng.standard_normal(size, dtype=np.float32).astype(dtype)) for _ in range(2))
    state = []

    def step():
        nonlocal w, state
        w, *state = rule(w, g, *state, lr=1e-3)
        wait()
        return w

    return step


def torch_adam(size, dtype, device="cpu", threads=None, **options):
    """Return a step of torch.optim.Adam on one tensor; with all cores, unless threads are given."""
    import torch

    torch.set_num_threads(threads or os.cpu_count())
    torch.manual_seed(0)
    w = torch.nn.Parameter(torch.randn(size, dtype=getattr(torch, dtype), device=device))
    w.grad = torch.randn_like(w)
    optimizer = torch.optim.Adam([w], lr=1e-3, **options)

    def step():
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        return w.detach()

    return step


def _on_gpu(rule, size, dtype):
    import cupy

    return _walk(rule, cupy, size, dtype, wait=cupy.cuda.Device().synchronize)


STEPPERS = {
    "plain": partial(_walk, adam, np),
    "fused, blocks": partial(_walk, fused(adam), np),  # the benchmark takes Numba away
}
if importlib.util.find_spec("numba"):
    STEPPERS["fused, Numba"] = partial(_walk, fused(adam), np)
    STEPPERS["fused, Numba, donated"] = partial(_walk, fused(adam, donate=True), np)
if importlib.util.find_spec("torch"):
    # On one thread as well: on a busy machine torch's threads wait for each other. The better one counts.
    for threads, note in (None, ""), (1, ", one thread"):
        STEPPERS[f"torch{note}"] = partial(torch_adam, threads=threads, foreach=False)
        STEPPERS[f"torch foreach{note}"] = partial(torch_adam, threads=threads, foreach=True)
        STEPPERS[f"torch fused{note}"] = partial(torch_adam, threads=threads, fused=True)
if gpu()[0]:
    STEPPERS["GPU plain"] = partial(_on_gpu, adam)
    STEPPERS["GPU fused"] = partial(_on_gpu, fused(adam))
