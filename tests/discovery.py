"""Finds the package's rules and landscapes, so that a new one is tested without being listed anywhere."""

import importlib
import inspect
import pkgutil

import numpy as np

import optim_lessons
from optim_lessons import landscapes


def lesson_modules():
    """Return the modules beside `lab` and `course`: each may hold rules, and needs nothing but NumPy."""
    found = pkgutil.iter_modules(optim_lessons.__path__, "optim_lessons.")
    return [importlib.import_module(module.name) for module in found if not module.ispkg]


def _is_rule(f):
    p = list(inspect.signature(f).parameters.values())
    return [q.name for q in p[:2]] == ["w", "g"] and all(q.default is not q.empty for q in p[2:])


def rules():
    """Return name → rule: the public functions whose parameters begin w, g and whose others have defaults."""
    found = {}
    for module in lesson_modules():
        for name, f in vars(module).items():
            if inspect.isfunction(f) and not name.startswith("_") and _is_rule(f):
                found[f.__name__] = f  # sgd is gradient_descent: one rule, one entry
    return found


def sees_matrices(rule):
    """Say whether a rule refuses a vector of weights: it works on the last two axes, not weight by weight."""
    try:
        rule(np.ones(2), np.ones(2))
    except ValueError:
        return True
    return False


def factories():
    """Return name → function for the landscapes that have knobs of their own."""
    found = {}
    for name, f in vars(landscapes).items():
        if callable(f) and getattr(f, "__module__", "") == landscapes.__name__ and not name.startswith("_"):
            p = [] if inspect.isclass(f) else list(inspect.signature(f).parameters.values())
            if p and all(q.default is not q.empty for q in p):
                found[name] = f
    return found


def all_landscapes():
    """Return name → landscape, the factories at their defaults."""
    ready = {n: x for n, x in vars(landscapes).items() if isinstance(x, landscapes.Landscape)}
    return ready | {name: make() for name, make in factories().items()}


_FOUND = rules()
MATRIX_RULES = {name: rule for name, rule in _FOUND.items() if sees_matrices(rule)}
RULES = {name: rule for name, rule in _FOUND.items() if name not in MATRIX_RULES}
LANDSCAPES = all_landscapes()
