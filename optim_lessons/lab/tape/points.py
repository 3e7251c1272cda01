"""Trace one whole step of all runs: the landscape's gradient and the rule, one stand-in per coordinate.

Everything that differs from run to run or from step to step is a stand-in: the weights, the state, the knobs
of a sweep. `lab/sweep.py` walks the tape that results; there is no second text of any formula.
"""

import operator
from dataclasses import dataclass

import numpy as np

from optim_lessons.lab.tape.trace import CannotTrace, StandIn, Tape, refuse, refuse_whole

# What a value of the tape differs with: the step alone, the run as well (a knob), or the walk itself.
STEP, RUN, WALK = range(3)
# Numbers that only the step changes are worked out as Python works them out in the rule.
_PYTHON = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul}
_PYTHON |= {"divide": operator.truediv, "power": operator.pow, "negative": operator.neg}


class Point(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands in for weights of shape (..., n): it holds one stand-in (or number) for each coordinate."""

    spreads = True  # a single stand-in leaves functions of both kinds to the point

    def __init__(self, tape, parts):
        """Hold the coordinates of a point on a tape."""
        self.tape, self.parts = tape, tuple(parts)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        """Record a function of NumPy, coordinate by coordinate; what cannot be done so is refused."""
        if method != "__call__" or kwargs:
            how = f".{method}" if method != "__call__" else f" with {', '.join(kwargs)}="
            refuse_whole(f"np.{ufunc.__name__}{how}")
        return self.tape.record(ufunc.__name__, inputs)

    def __array_function__(self, function, types, args, kwargs):
        """Record where, clip and their like, coordinate by coordinate."""
        rows = [[x.parts[i] if isinstance(x, Point) else x for x in args] for i in range(len(self.parts))]
        return Point(self.tape, [function(*row, **kwargs) for row in rows])

    def __getitem__(self, key):
        """Return one coordinate: w[..., 0]."""
        if type(key) is tuple and len(key) == 2 and key[0] is ... and isinstance(key[1], int):
            return self.parts[key[1]]
        return refuse("It picks weights in another way than w[..., 0]")

    def __getattr__(self, name):
        """Refuse methods such as .sum(); unknown protocols simply are not there."""
        if name.startswith("__"):
            raise AttributeError(name)
        return refuse_whole(f".{name}")


class _StepTape(Tape):
    """A tape that spreads an operation on points over their coordinates."""

    def record(self, name, operands):
        operands = [self._vector(x) if isinstance(x, np.ndarray) else x for x in operands]
        points = [x for x in operands if isinstance(x, Point)]
        if points:
            sizes = range(len(points[0].parts))
            rows = ([x.parts[i] if isinstance(x, Point) else x for x in operands] for i in sizes)
            return Point(self, [self.record(name, row) for row in rows])
        if any(type(x) is StandIn for x in operands):
            return super().record(name, operands)
        return getattr(np, name)(*operands).item()

    def _vector(self, x):
        """Return a constant array of the formula as a point, or its one number."""
        if x.ndim == 0:
            return x.item()
        return Point(self, x.tolist()) if x.ndim == 1 else refuse(f"It holds an array of shape {x.shape}")

    def stack(self, parts, axis):
        """Make a point of coordinates, as np.stack does along the last axis."""
        return Point(self, parts) if axis == -1 else refuse("np.stack needs axis=-1, the axis of the space")


@dataclass(frozen=True)
class Step:
    """One step on a tape.

    n: coordinates; their registers are 0, ..., n - 1.  slopes: the registers of the gradient, if it is given
    and not worked out by the step itself.  state: for each register of the state its first value.
    knobs, schedules: name → register.  carried: register → the operand that it holds in the next step.
    ops, hosts: as on a tape.  levels: of every operand: STEP, RUN or WALK.  truths: true or false ones.
    """

    n: int
    state: dict
    knobs: dict
    schedules: dict
    carried: dict
    ops: tuple
    hosts: tuple
    levels: tuple
    truths: frozenset
    slopes: tuple = ()

    @property
    def inputs(self):
        """The number of registers; the results of the operations are counted on from there."""
        return len(self.levels) - len(self.ops)

    def level(self, i):
        """Return what an operand differs with."""
        return self.levels[i] if i >= 0 else STEP

    def body(self):
        """Return the operations that every run has to do: (result, name, operands)."""
        rows = ((i, name, operands) for i, (name, *operands) in enumerate(self.ops, self.inputs))
        return [row for row in rows if self.levels[row[0]] > STEP]

    def printed(self, value, operation, cast):
        """Yield the body as text: (result, "real", "double" or "bool", formula).

        value: operand → its text; the results' are added.  operation: a function of a name and its operands'
        texts.  cast: prints a number in double precision as one of the weights' dtype.
        """
        for i, name, operands in self.body():
            walk = self.level(i) == WALK
            texts = [cast(value[j]) if walk and self.level(j) < WALK else value[j] for j in operands]
            value[i] = f"x{i}"
            yield i, "bool" if i in self.truths else "real" if walk else "double", operation(name, texts)

    def columns(self):
        """Return the operands that are the same for all runs and that the body needs."""
        used = [i for _, _, operands in self.body() for i in operands]
        used += [new for old, new in self.carried.items() if self.levels[old] > STEP]
        return tuple(dict.fromkeys(i for i in used if i >= 0 and self.levels[i] == STEP))

    def table(self, steps, schedules):
        """Return the columns' values in each step, shape (steps, columns).  schedules: name → function."""
        columns = self.columns()
        rows = np.empty((steps, max(len(columns), 1)))
        ops = [(i, *op) for i, op in enumerate(self.ops, self.inputs) if self.levels[i] == STEP]
        carried = {old: new for old, new in self.carried.items() if self.levels[old] == STEP}
        values = {~k: x for k, x in enumerate(self.hosts)}
        values |= {register: self.state[register] for register in carried}
        for t in range(steps):
            values |= {register: schedules[name](t) for name, register in self.schedules.items()}
            for i, name, *operands in ops:
                values[i] = (_PYTHON.get(name) or getattr(np, name))(*(values[j] for j in operands))
            rows[t, : len(columns)] = [values[i] for i in columns]
            values |= {old: values[new] for old, new in carried.items()}
        return rows


def trace_step(rule, grad, n, state, knobs, schedules=()):
    """Return one step of a rule on a landscape as a Step; raise CannotTrace, naming the line, if it is none.

    grad: function of w; None: the gradient comes from outside.  n: coordinates.  state: name → first value.
    knobs: name → value; arrays differ from run to run.  schedules: names of knobs that differ from step to
    step.
    """
    wide = set()  # the names of the state with a number for each coordinate
    while True:
        tape = _StepTape((n,), np.dtype(float))
        w = Point(tape, [tape.array(i) for i in range(n)])
        slopes = () if grad else tuple(tape.array("slope").index for _ in range(n))
        given, registers, first = [], [], dict.fromkeys(range(n))
        for name, x in state.items():
            if isinstance(x, bool) or not isinstance(x, int | float):
                raise CannotTrace(f"the state {name} starts as {x!r}: a walk on a tape starts from a number")
            parts = [tape.array(name) for _ in range(n if name in wide else 1)]
            registers += [part.index for part in parts]
            first |= {part.index: x for part in parts}
            given.append(Point(tape, parts) if name in wide else parts[0])
        arrays = {name: tape.array(name) for name, x in knobs.items() if np.ndim(x)}
        columns = {name: tape.array(name) for name in schedules}
        g = grad(w) if grad else Point(tape, [StandIn(tape, i) for i in slopes])
        new = rule(w, g, *given, **knobs | arrays | columns)
        new_w, *new_state = new if isinstance(new, tuple) else (new,)
        found = {name for name, x in zip(state, new_state, strict=True) if type(x) is Point}
        if found <= wide:
            break
        wide |= found
    if type(new_w) is not Point or len(new_w.parts) != n:
        raise CannotTrace(f"the new weights do not have {n} coordinates")
    flat = [*new_w.parts]
    if grad:
        flat = [np.where(np.isfinite(x), y, x) for x, y in zip(w.parts, flat, strict=True)]  # lost is lost
    for name, x in zip(state, new_state, strict=True):
        parts = x.parts if type(x) is Point else (x,) * (n if name in wide else 1)
        flat += [part if type(part) is StandIn else tape.record("positive", (part,)) for part in parts]
    carried = dict(zip([*range(n), *registers], [x.index for x in flat], strict=True))
    state = {i: first[i] for i in registers}
    knobs, schedules = ({name: x.index for name, x in its.items()} for its in (arrays, columns))
    levels = _levels(tape, (*range(n), *slopes), carried, knobs)
    return Step(
        n,
        state,
        knobs,
        schedules,
        carried,
        tuple(tape.ops),
        tuple(tape.hosts),
        levels,
        frozenset(tape.truths),
        slopes,
    )


def _levels(tape, walking, carried, knobs):
    """Return what each operand differs with: as much as anything it is made from."""
    levels = [STEP] * (len(tape.arrays) + len(tape.ops))
    for i in knobs.values():
        levels[i] = RUN
    for i in walking:
        levels[i] = WALK
    while True:
        for i, (_, *operands) in enumerate(tape.ops, len(tape.arrays)):
            levels[i] = max(levels[j] if j >= 0 else STEP for j in operands)
        low = [old for old, new in carried.items() if levels[old] < levels[new]]
        if not low:
            return tuple(levels)
        for old in low:
            levels[old] = levels[carried[old]]
