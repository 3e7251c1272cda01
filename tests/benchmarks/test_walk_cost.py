"""What `path` costs beside the bare loop that it stands for: the two by turns, in one run.

pytest tests/benchmarks/test_walk_cost.py --benchmark-only -s
"""

import time
from statistics import median

import numpy as np
import pytest

from optim_lessons.adam import adam
from optim_lessons.lab.path import grid, path
from optim_lessons.landscapes import rosenbrock

SWEEP = grid(
    lr=np.geomspace(1e-3, 1, 100).astype(np.float32), beta1=np.linspace(0, 0.99, 100).astype(np.float32)
)
# name → start, steps, knobs, turns, and how many times the bare loop's time the walk may take
WALKS = {
    "300 steps of one run": (rosenbrock.start, 300, {"lr": 0.02}, 60, 1.3),
    "200 steps of 10,000 float32 runs": (np.tile(np.float32([-1.5, 2]), (100, 100, 1)), 200, SWEEP, 9, 1.15),
}


def bare(rule, grad, w, steps, **knobs):
    """Walk without a check: what one would write by hand."""
    ws = np.empty((steps + 1, *w.shape), w.dtype)
    ws[0], state = w, ()
    for t in range(steps):
        w, *state = rule(w, grad(w), *state, **knobs)
        ws[t + 1] = w
    return ws


def seconds(walk, *args, **knobs):
    """Return the time of this thread alone: other programs do not count."""
    begun = time.thread_time()
    walk(*args, **knobs)
    return time.thread_time() - begun


@pytest.mark.parametrize("walk", WALKS)
def test_cost_of_a_walk_beside_the_bare_loop(benchmark, walk):
    w0, steps, knobs, turns, limit = WALKS[walk]
    walked = adam, rosenbrock.grad, w0, steps
    np.testing.assert_array_equal(path(*walked, **knobs), bare(*walked, **knobs))
    if benchmark.disabled:  # run as a test among others it measures nothing
        turns, limit = 1, np.inf
    benchmark.pedantic(path, walked, knobs, rounds=3)
    times = [(seconds(path, *walked, **knobs), seconds(bare, *walked, **knobs)) for _ in range(turns)]
    ratio = median(ours for ours, _ in times) / median(theirs for _, theirs in times)
    benchmark.extra_info.update(kind="walk", who=walk, ratio=ratio)
    print(f"{walk}: {ratio:.2f} times the bare loop")
    assert ratio < limit
