"""What many runs of Adam cost on this machine: one after another, as one sweep, and as a GPU's one kernel."""

import time

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.path import path
from optim_lessons.lab.sweep import final
from optim_lessons.lab.tape.kernel import print_walk
from optim_lessons.lab.tape.points import trace_step
from optim_lessons.landscapes import rosenbrock


def knobs_of_runs(n, library=np):
    """Return n learning rates and a start for as many runs."""
    lrs = library.geomspace(1e-3, 1, n, dtype=np.float32)[:, None]
    return library.asarray(rosenbrock.start, dtype=np.float32), lrs


def _one_by_one(n):
    w0, lrs = knobs_of_runs(n)
    for lr in lrs[:, 0].tolist():
        path(adam, rosenbrock.grad, w0, 200, lr=lr)


def _as_arrays(n):
    w0, lrs = knobs_of_runs(n)
    path(adam, rosenbrock.grad, w0, 200, lr=lrs)


def _to_the_end(n):
    w0, lrs = knobs_of_runs(n)
    final(adam, rosenbrock, w0, 200, lr=lrs)


def _on_gpu(n):
    import cupy

    w0, lrs = knobs_of_runs(n, cupy)
    final(adam, rosenbrock, w0, 200, lr=lrs)
    cupy.cuda.Device().synchronize()


WAYS = {  # how 200 steps of Adam are taken n times → (function of n, the largest n)
    "one run after another": (_one_by_one, 10),
    "path: one sweep, all steps kept": (_as_arrays, 3_000),
    "final: one sweep, the end kept": (_to_the_end, 100_000),
    "final on the GPU": (_on_gpu, 3_000_000),
}


def seconds(way, n, rounds=2):
    """Return the least time that n runs take in one of the WAYS, after one call to warm up."""
    run = WAYS[way][0]
    run(n)
    return min(_timed(run, n) for _ in range(rounds))


def _timed(run, n):
    begin = time.perf_counter()
    run(n)
    return time.perf_counter() - begin


def crossover(sizes, slow, fast):
    """Return the first size from which on the second way is always the faster one, or None."""
    faster = [n for n, a, b in zip(sizes, slow, fast, strict=True) if b < a]
    return next((n for n in faster if all(m in faster for m in sizes if m >= n)), None)


def kernel_text(rule, landscape, **knobs):
    """Return the loop that `final` gives to a GPU, in C; in single precision."""
    step = trace_step(rule, landscape.grad, 2, parts(rule).state, knobs)
    return print_walk(step, np.dtype(np.float32))[2]
