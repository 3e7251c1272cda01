"""Compare a rule with the golden points in goldens.npz. Needs no peer; make_goldens.py made them."""

import json
from pathlib import Path

import numpy as np
from peers.problems import KEPT, STEPS, gradient, lr_at, start

from optim_lessons.lab.path import path

with np.load(Path(__file__).with_name("goldens.npz")) as _file:
    DATA = dict(_file)
INDEX = json.loads(str(DATA["index"]))
CASES = [case | {"number": i} for i, case in enumerate(INDEX["cases"])]
PUBLISHED = json.loads(Path(__file__).with_name("published.json").read_text())


def name(case):
    """Return a readable name for a test's id."""
    knobs = ",".join(f"{k}={v:g}" for k, v in case["knobs"].items())
    halved = " halved" if case["halve_every"] else ""
    return f"{case['rule']} {case['peer']} {case['problem']} {knobs}{halved}"


def points(case):
    """Return the peer's points, how far they may be missed, and their steps."""
    w, moved = DATA[f"w{case['number']}"], DATA[f"moved{case['number']}"]
    steps = np.array(KEPT[case["problem"]][: len(w)])[:, None]
    # Both programs round: each may stray as far as the peer does when its gradients change by one unit. Each
    # of the t subtractions that made w rounds by half a unit more, and the step that is subtracted comes out
    # of up to eight such roundings of its own (Adam), in another order in each program.
    size = np.maximum.accumulate(np.maximum(np.abs(start(case["problem"], DATA)), np.abs(w)))
    rounding = (steps + 4) * np.finfo(float).eps * size
    return w, 2 * moved + rounding, steps[:, 0]


def walk(rule, case, **more):
    """Walk a rule down a case's problem with its knobs; lr as a schedule, as the peers had it."""
    knobs = case["knobs"] | more
    lr, problem = knobs.pop("lr"), case["problem"]
    return path(
        rule,
        gradient(problem, DATA),
        start(problem, DATA),
        STEPS[problem],
        lr=lambda t: lr_at(lr, t, case["halve_every"]),
        **knobs,
    )


def miss(rule, case):
    """Return how far a rule misses the peer's points, in units of what it may miss them by."""
    w, allowed, steps = points(case)
    missed = np.abs(walk(rule, case)[steps] - w)
    return np.where(missed > 0, missed / np.maximum(allowed, np.finfo(float).tiny), 0).max()
