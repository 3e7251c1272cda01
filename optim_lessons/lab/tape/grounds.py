"""Trace a landscape: its height and its slope, with its own knobs left open where it has some.

What a landscape works out from its knobs alone, such as the coefficients of a ravine, is traced as well.
There a number has a value, the knob's default, so that a check like `if condition < 1` finds an answer; the
tape notes it as a condition under which it holds.
"""

import inspect
import itertools
from dataclasses import dataclass

import numpy as np

from optim_lessons.lab.tape.points import _PYTHON, Point, _StepTape
from optim_lessons.lab.tape.trace import CannotTrace, StandIn

PROBES = 5  # places along each side of a landscape's box where the tape is compared with the landscape
CLOSE = 1e-9  # how near it has to be there, of the largest value


class Row(Point):
    """A point that can be multiplied by a matrix and summed, as a sum of waves needs."""

    dtype = property(lambda self: self.tape.dtype)

    def __getitem__(self, key):
        """Return one coordinate, or some: w[..., :1]."""
        if type(key) is tuple and len(key) == 2 and key[0] is ... and isinstance(key[1], slice):
            return Row(self.tape, self.parts[key[1]])
        return super().__getitem__(key)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        """Record a product with a matrix, and all that a point can."""
        if ufunc is np.matmul and method == "__call__" and not kwargs and isinstance(inputs[1], np.ndarray):
            row, matrix = inputs
            products = [
                [x * a for x, a in zip(row.parts, column, strict=True)] for column in matrix.T.tolist()
            ]
            return Row(self.tape, [Row(self.tape, terms).sum(axis=-1) for terms in products])
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        """Leave a constant as it is, and do all that a point can."""
        if function in (np.asarray, np.array):  # np.asarray(x, like=w)
            return function(*args, **kwargs)
        return super().__array_function__(function, types, args, kwargs)

    def sum(self, axis):
        """Return the sum of the coordinates, the last axis."""
        return sum(self.parts[1:], self.parts[0]) if axis == -1 else self.__getattr__("sum")


class _GroundTape(_StepTape):
    """A tape that knows the values of what depends on the knobs alone.

    values: operand → value.  guards: (operand, truth): what the landscape has asked, and the answer.
    """

    def __init__(self, shape, dtype):
        super().__init__(shape, dtype)
        self.values, self.guards = {}, []

    def record(self, name, operands):
        operands = [self._vector(x) if isinstance(x, np.ndarray) else x for x in operands]
        points = [x for x in operands if isinstance(x, Point)]
        if points:
            size = max(len(x.parts) for x in points)
            columns = [x.parts * (size if len(x.parts) == 1 else 1) if isinstance(x, Point) else (x,) * size
                       for x in operands]  # fmt: skip
            return Row(self, [self.record(name, row) for row in zip(*columns, strict=True)])
        result = super().record(name, operands)
        if type(result) is StandIn:
            name, *row = self.ops[-1]
            known = [self.hosts[~i] if i < 0 else self.values.get(i) for i in row]
            if all(x is not None for x in known):
                self.values[result.index] = (_PYTHON.get(name) or getattr(np, name))(*known)
        return result

    def stack(self, parts, axis):
        return Row(self, super().stack(parts, axis).parts)

    def truth(self, x):
        if x.index not in self.values:
            return super().truth(x)
        self.guards.append((x.index, bool(self.values[x.index])))
        return self.guards[-1][1]

    def number(self, x):  # what is lost so is found by comparing
        return float(self.values[x.index]) if x.index in self.values else super().number(x)

    def item(self, x):
        return x if x.index in self.values else super().item(x)


@dataclass(frozen=True)
class Ground:
    """A landscape on a tape.

    n: coordinates; their registers come first.  knobs: name → register.  ops, hosts: as on a tape.
    height: the operand of the height.  slope: those of the gradient.  guards: (operand, truth) each: where
    one of them turns out otherwise, the landscape is another one, or refuses its knobs.
    """

    n: int
    knobs: dict
    ops: tuple
    hosts: tuple
    height: int
    slope: tuple
    guards: tuple
    truths: frozenset

    @property
    def inputs(self):
        """The number of registers; the results of the operations are counted on from there."""
        return self.n + len(self.knobs)

    def fixed(self):
        """Return the operations' results that depend on the knobs alone."""
        moving = set(range(self.n))
        for i, (_, *operands) in enumerate(self.ops, self.inputs):
            if moving.intersection(operands):
                moving.add(i)
        return {i for i in range(self.inputs, self.inputs + len(self.ops)) if i not in moving}

    def play(self, w, knobs):
        """Return height and slope at w, shape (..., n), by NumPy; None where a guard says no."""
        values = {~k: x for k, x in enumerate(self.hosts)} | dict(enumerate(np.moveaxis(w, -1, 0)))
        values |= {i: knobs[name] for name, i in self.knobs.items()}
        for i, (name, *operands) in enumerate(self.ops, self.inputs):
            values[i] = getattr(np, name)(*(values[j] for j in operands))
        if any(bool(values[i]) is not truth for i, truth in self.guards):
            return None
        return values[self.height], np.stack([values[i] * np.ones(w.shape[:-1]) for i in self.slope], axis=-1)


def knobs_of(make):
    """Return the knobs of a landscape's function: name → default; its arguments that are numbers."""
    defaults = {name: p.default for name, p in inspect.signature(make).parameters.items()}
    return {name: x for name, x in defaults.items() if isinstance(x, int | float) and not isinstance(x, bool)}


def trace_ground(make, ranges=None):
    """Return the Ground of a landscape, or of a function that makes one from its knobs.

    ranges: knob → values between which it is to hold; the defaults alone, if not given. Raises CannotTrace if
    the formulas cannot be traced, or if what is traced is not what the landscape says.
    """
    if hasattr(make, "grad"):
        first, knobs = make, {}

        def build():
            return first

    else:
        build, knobs = make, knobs_of(make)
        first = make(**knobs)
    n = first.start.shape[-1]
    tape = _GroundTape((n,), np.dtype(float))
    w = Row(tape, [tape.array(i) for i in range(n)])
    given = {name: tape.array(name) for name in knobs}
    tape.values |= {x.index: knobs[name] for name, x in given.items()}
    try:
        with np.errstate(all="ignore"):
            landscape = build(**given)
            height, slope = landscape.f(w), landscape.grad(w)
            height, *slope = (np.positive(x) if type(x) is StandIn else x for x in (height, *slope.parts))
    except CannotTrace:
        raise
    except Exception as error:  # what only works on arrays, or on plain numbers
        raise CannotTrace(f"{type(error).__name__}: {error}") from error
    if not all(type(x) is StandIn for x in (height, *slope)):
        raise CannotTrace(f"the height or the slope of {first.name} does not change with w")
    ground = Ground(
        n, {name: x.index for name, x in given.items()}, tuple(tape.ops), tuple(tape.hosts), height.index,
        tuple(x.index for x in slope), tuple(dict.fromkeys(tape.guards)), frozenset(tape.truths),
    )  # fmt: skip
    _compare(ground, build, first, knobs, ranges or {})
    return ground


def _compare(ground, build, first, knobs, ranges):
    """Raise CannotTrace unless the tape says what the landscape says, at the ends of its knobs' ranges."""
    lattice = np.stack(np.meshgrid(*(np.linspace(*side, PROBES) for side in first.box)), axis=-1) + 1e-3
    ends = [dict.fromkeys([default, *ranges.get(name, ())]) for name, default in knobs.items()]
    for values in itertools.product(*ends):
        chosen = dict(zip(knobs, values, strict=True))
        with np.errstate(all="ignore"):
            played = ground.play(lattice, chosen)
            if played is None:
                continue
            landscape = build(**chosen)
            told = landscape(lattice), landscape.grad(lattice)
        same = [
            np.allclose(x, y, rtol=0, atol=CLOSE * np.abs(y).max(initial=1e-300), equal_nan=True)
            for x, y in zip(played, told, strict=True)
        ]
        still = np.array_equal(landscape.minima, first.minima) and landscape.box == first.box
        if not (all(same) and still):
            raise CannotTrace(f"{first.name} depends on {', '.join(knobs)} in a way that leaves no trace")
