"""Many trainings, fairly: the same seeds and the same order of examples for every rule. joblib's one door.

    field = {"Adam": Entrant(adam, {"lr": lrs}), "momentum": Entrant(momentum, {"lr": lrs, "beta": betas})}
    results = race(problem, field, seeds=range(10))
    results["Adam"].history["validation_loss"]      # shape (epochs + 1, trials, seeds)

Trials of one rule train side by side, as axes of one array. Rules, and parts of their trials, go to the local
cores, or wherever `joblib.parallel_config` says: backend="dask" sends the same jobs to a cluster.
"""

import inspect
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import joblib
import numpy as np
from tqdm import tqdm

from optim_lessons import __version__
from optim_lessons.lab.datasets import Part
from optim_lessons.lab.knobs import check_names
from optim_lessons.lab.models import Model
from optim_lessons.lab.path import stepper
from optim_lessons.lab.train import train

RUNS_PER_JOB = 64  # side by side: more hardly train faster, and an interrupted race would lose more


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be trained, and for how long.

    net: a Model on its training data.  validation, test: the parts held out.  epochs, batch: the budget of
    one run.  dtype: of the weights.
    """

    name: str
    net: Model
    validation: Part
    test: Part
    epochs: int = 10
    batch: int = 32
    dtype: type = np.float32

    @property
    def steps(self) -> int:
        """How many steps a run takes."""
        return self.epochs * math.ceil(len(self.net.X) / self.batch)


@dataclass(frozen=True, eq=False)
class Entrant:
    """A rule with its trials.

    knobs: knob → values, shape (trials,), or one number for all; "l2" is the model's penalty, all others are
    the rule's.  schedule: a function (lr, length=steps) that returns a function of t, such as
    schedules.cosine; lr (and lr_rest of `by_layer`) stays constant without one.  measured: a function of
    (w, *state), the weights that are measured where these are others than w, as for `train`.
    """

    rule: Callable
    knobs: dict
    schedule: Callable | None = None
    measured: Callable | None = None

    def __post_init__(self):
        """Give each knob one value per trial."""
        check_names(self.rule, [name for name in self.knobs if name != "l2"])
        values = {name: np.atleast_1d(np.asarray(value, float)) for name, value in self.knobs.items()}
        shapes = {name: value.shape for name, value in values.items()}
        if not values or any(len(shape) > 1 for shape in shapes.values()) or self._trials(values) == 0:
            raise ValueError(
                f"the knobs have shapes {shapes}: give each knob a list of values, one per trial"
            )
        if any(len(value) not in (1, self._trials(values)) for value in values.values()):
            raise ValueError(
                f"the knobs have shapes {shapes}: there is one value of each knob for each trial"
            )
        trials = self._trials(values)
        object.__setattr__(
            self, "knobs", {name: np.broadcast_to(v, trials).copy() for name, v in values.items()}
        )

    @staticmethod
    def _trials(values):
        return max(len(value) for value in values.values())

    @property
    def trials(self) -> int:
        """How many trials there are."""
        return self._trials(self.knobs)

    def only(self, trials: Any) -> "Entrant":
        """Return the entrant with some of its trials: a slice, an index array or a mask."""
        knobs = {name: np.atleast_1d(values[trials]) for name, values in self.knobs.items()}
        return replace(self, knobs=knobs)


@dataclass(frozen=True, eq=False)
class Result:
    """What became of an entrant's trials.

    seeds: of starts and batches, shape (seeds,).  history: "train_loss", "validation_loss" and, where there
    are classes, "..._accuracy", each of shape (epochs + 1, trials, seeds), NaN from where a run was lost.
    """

    entrant: Entrant
    seeds: np.ndarray
    history: dict = field(repr=False)

    @property
    def lost(self) -> np.ndarray:
        """Which runs left the finite numbers, shape (trials, seeds)."""
        return ~np.isfinite(self.history["train_loss"][-1])


def race(
    problem: Problem,
    entrants: Mapping[str, Entrant],
    *,
    seeds: Any,
    part: str = "validation",
    store: Any = None,
    progress: bool = True,
    n_jobs: int = -1,
) -> dict[str, Result]:
    """Train every trial of every entrant with every seed; return name → Result.

    entrants: name → Entrant.  seeds: whole numbers; each gives a start and an order of the examples, the
    same for all.  part: which held-out part is measured, "validation" or "test".  store: a folder that keeps
    each finished job, so that an interrupted race goes on where it was.  n_jobs: local processes, -1 for one
    per core; `joblib.parallel_config` overrides where they run.
    A trial that diverges is lost alone: the race goes on. Raises ValueError for an empty field or no seeds.
    """
    seeds = np.atleast_1d(np.asarray(seeds))
    if not entrants or seeds.size == 0:
        raise ValueError(
            f"there are {len(entrants)} entrants and {seeds.size} seeds: a race needs one of each"
        )
    if part not in ("validation", "test"):
        raise ValueError(f"part is {part!r}: a race measures 'validation', or 'test' for the winners alone")
    work = run if store is None else joblib.Memory(store, verbose=0).cache(run, ignore=["problem", "entrant"])
    jobs = [(name, some) for name, entrant in entrants.items() for some in _pieces(entrant, len(seeds))]
    calls = (
        joblib.delayed(work)(problem, some, seeds, part, fingerprint=_fingerprint(problem, some))
        for _, some in jobs
    )
    histories = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(calls)
    bar = tqdm(histories, total=len(jobs), unit=" jobs", disable=not progress, delay=1)
    return _together(entrants, seeds, jobs, list(bar))


class Cost(NamedTuple):
    """What one run costs: seconds of a gradient and of a whole step, and the bytes of the rule's state."""

    gradient: float
    step: float
    state: int


def cost(problem: Problem, rule: Callable, steps: int = 200) -> Cost:
    """Return the Cost of a single run, not of many side by side: medians over so many steps.

    The state is what the rule keeps beside the weights, such as Adam's m and v.
    """
    grad = problem.net.batch_grad(problem.batch, 0)
    w = problem.net.init(0, problem.dtype)
    point, step = stepper(rule, grad, w)
    gradients, whole = [], []
    for t in range(steps):
        before = time.perf_counter()
        grad(point[0], t)
        between = time.perf_counter()
        point = step(t, *point)
        gradients.append(between - before)
        whole.append(time.perf_counter() - between)
    state = sum(x.nbytes for x in point[1:] if np.ndim(x))
    return Cost(float(np.median(gradients)), float(np.median(whole)), state)


def _pieces(entrant, seeds):
    """Cut an entrant's trials into jobs of a size that trains well side by side."""
    few = max(1, RUNS_PER_JOB // seeds)
    return [entrant.only(slice(i, i + few)) for i in range(0, entrant.trials, few)]


def run(problem, entrant, seeds, part, fingerprint=None):
    """Train an entrant's trials with the seeds, side by side; return the history: name → array.

    fingerprint: says in a store whether a kept result is still that of this rule and this problem.
    """
    knobs = {name: values[:, None, None].astype(problem.dtype) for name, values in entrant.knobs.items()}
    net = problem.net
    if "l2" in knobs:
        net = replace(net, l2=knobs.pop("l2"))
    if entrant.schedule is not None:
        for name in knobs.keys() & {"lr", "lr_rest"}:
            knobs[name] = entrant.schedule(knobs[name], length=problem.steps)
    trained = train(
        entrant.rule,
        net,
        epochs=problem.epochs,
        batch=problem.batch,
        seed=np.reshape(seeds, (1, -1, 1)),
        dtype=problem.dtype,
        progress=False,
        measured=entrant.measured,
        **{part: getattr(problem, part)},
        **knobs,
    )
    runs = entrant.trials, len(seeds)
    if trained.t < problem.steps and len(trained.failures) < math.prod(runs):
        raise KeyboardInterrupt(trained.reason)  # half a result must not be kept as a whole one
    return _filled(trained.history, problem.epochs + 1, runs)


def _filled(history, rows, runs):
    """Return the history without t, with rows of NaN for the epochs that no run lived to see."""
    full = {}
    for name, values in history.items():
        if name != "t":
            full[name] = np.full((rows, *runs), np.nan, dtype=np.float32)
            full[name][: len(values)] = values
    return full


def _together(entrants, seeds, jobs, histories):
    results = {}
    for name, entrant in entrants.items():
        own = [history for (whose, _), history in zip(jobs, histories, strict=True) if whose == name]
        history = {key: np.concatenate([piece[key] for piece in own], axis=1) for key in own[0]}
        results[name] = Result(entrant, seeds, history)
    return results


def _fingerprint(problem, entrant):
    """Return what a kept result depends on: the knobs, the data, and what the functions do, not how named."""
    net = problem.net
    data = [np.asarray(part) for part in (net.X, net.y, *problem.validation, *problem.test)]
    shape = (net.sizes, net.activation, net.loss, net.l2, problem.epochs, problem.batch, problem.dtype)
    code = [_code(function) for function in (entrant.rule, entrant.schedule, entrant.measured)]
    return joblib.hash((__version__, code, entrant.knobs, data, shape))


def _code(x, seen=()):
    """Return what a function does: its bytecode and constants, and those of the functions it calls."""
    function = inspect.unwrap(x) if callable(x) else x
    code = getattr(function, "__code__", None)
    if code is None or function in seen:
        return repr(x) if not callable(x) else getattr(x, "__qualname__", type(x).__name__)
    seen = (*seen, function)
    names, constants = set(code.co_names), []
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            names |= set(constant.co_names)
            constants.append(
                (constant.co_code, [repr(c) for c in constant.co_consts if not hasattr(c, "co_code")])
            )
        else:
            constants.append(repr(constant))
    called = [function.__globals__[name] for name in sorted(names) if name in function.__globals__]
    called += [cell.cell_contents for cell in function.__closure__ or ()]
    called = [_code(other, seen) for other in called if not inspect.ismodule(other)]
    return code.co_code, constants, repr(function.__defaults__), repr(function.__kwdefaults__), called
