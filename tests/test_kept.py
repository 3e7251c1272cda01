"""What is worked out once and handed out again cannot be changed by anybody who gets it."""

import dataclasses
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import optim_lessons
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.sgd import batches

ROOMS = "optim_lessons.studies", "optim_lessons.pictures", "optim_lessons.lab.datasets"
NEEDS = {  # what a function that keeps its results is called with here
    "regrets": (gradient_descent, 30, 1.0, 0),
    "problem": ("rare features",),
    "on_the_edge": ("ravine",),
    "squares_after": (3,),
    "wide_ravine": (100, 30),
    "digits_model": ("softmax",),
    "matrix_best": ("Muon",),
    "open_best": ("right labels", "cosine"),
    "race_losses": ("digits, small network", "trials"),
    "_all_runs": ("momentum", "ravine", "lr and memory", -3.0, 10),
}
NO_ARRAYS = {
    "problem",
    "problems",
    "network",
    "small_network",
    "penalised",
    "made_up",
    "duel_problem",
    "open_problem",
    "four_gradients",
}  # models and functions


def remembering():
    """Return the functions of these modules that keep their results."""
    names = [m.name for m in pkgutil.walk_packages(optim_lessons.__path__, "optim_lessons.")]
    for module in (importlib.import_module(name) for name in names if name.startswith(ROOMS)):
        for f in vars(module).values():
            if hasattr(f, "cache_info") and f.__module__ == module.__name__ and f.__name__ not in NO_ARRAYS:
                yield f


def arrays(x):
    """Return all arrays inside of what a function gives."""
    if isinstance(x, np.ndarray):
        return [x]
    if hasattr(x, "batch_grad"):  # a model's examples are its own
        return []
    if dataclasses.is_dataclass(x):
        x = vars(x)
    if isinstance(x, dict):
        x = x.values()
    elif not isinstance(x, tuple | list):
        return []
    return [a for part in x for a in arrays(part)]


@pytest.mark.parametrize(
    "f", list(remembering()), ids=lambda f: f"{f.__module__.split('.')[-1]}.{f.__name__}"
)
def test_what_is_kept_and_handed_out_again_cannot_be_written_to(f):
    required = [p for p in inspect.signature(f).parameters.values() if p.default is p.empty]
    assert not required or f.__name__ in NEEDS
    found = arrays(f(*NEEDS.get(f.__name__, ())))
    assert [a.shape for a in found if a.flags.writeable] == []


def test_who_sorts_the_numbers_of_a_batch_changes_no_later_batch():
    dealt, again = batches(40, 8), batches(40, 8)
    for t in range(10):
        rows = dealt(t)
        np.testing.assert_array_equal(rows, again(t))
        rows[:] = 0
