"""Record what a rule computes: call it once with stand-ins, which note each operation on a tape.

The numbers between the arrays, such as 1 - beta2**t, are worked out by Python, in double precision.
The tape knows nothing of what becomes of it: it is printed as a kernel or as a script, or played in blocks.
"""

import linecache
import os
import sys

import numpy as np

# Operations whose results are numbers, and those whose results are true or false.
_NUMBERS = """
    add subtract multiply divide power square sqrt cbrt reciprocal positive negative absolute sign
    maximum minimum fmax fmin hypot copysign exp exp2 expm1 log log2 log10 log1p floor ceil trunc rint where
    sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh
"""
_TRUTHS = """
    less less_equal greater greater_equal equal not_equal logical_and logical_or logical_not
    isfinite isinf isnan
"""
NUMBERS, TRUTHS = frozenset(_NUMBERS.split()), frozenset(_TRUTHS.split())
_ON_TRUTHS = {"bitwise_and": "logical_and", "bitwise_or": "logical_or", "invert": "logical_not"}
_POWERS = {2: "square", 1: "positive", 0.5: "sqrt", -1: "reciprocal"}  # NumPy takes the same short cuts


class CannotTrace(TypeError):
    """The rule does something that cannot be done one weight at a time."""


class Tape:
    """What a rule computed from its arrays.

    arrays: the arrays that went in.  hosts: the numbers (or arrays of knobs) that met them, in order.
    ops: (name, *operands) each. An operand counts the arrays, then the results of the ops; below zero it
    is hosts[~operand].  truths: the operands that are true or false.
    """

    def __init__(self, shape, dtype):
        """Start an empty tape for weights of this shape and dtype."""
        self.shape, self.dtype = shape, dtype
        self.arrays, self.hosts, self.ops, self.truths = [], [], [], set()

    def array(self, values):
        """Put an array on the tape and return its stand-in; all arrays come before the first operation."""
        self.arrays.append(values)
        return StandIn(self, len(self.arrays) - 1)

    def record(self, name, operands):
        """Note one operation and return the stand-in of its result."""
        if name == "power" and isinstance(operands[1], int | float) and operands[1] in _POWERS:
            name, operands = _POWERS[operands[1]], operands[:1]
        if name in ("deg2rad", "radians"):
            name, operands = "multiply", (operands[0], np.pi / 180)
        row = [name]
        for x in operands:
            if type(x) is not StandIn:
                self.hosts.append(x)
                row.append(-len(self.hosts))
            elif x.tape is self:
                row.append(x.index)
            else:
                refuse("This array was kept from an earlier step outside the state")
        index = len(self.arrays) + len(self.ops)
        if self.truths or name not in NUMBERS:
            row[0] = name = self._sort_truths(name, operands, row[1:])
            if name in TRUTHS:
                self.truths.add(index)
        self.ops.append(tuple(row))
        return StandIn(self, index)

    def stack(self, parts, axis=0):
        """Refuse to put coordinates together; `tape/points.py` has a tape that can."""
        refuse_whole("np.stack")

    def truth(self, x):
        """Refuse to say whether a stand-in is true; `tape/grounds.py` has a tape that knows some values."""
        refuse("It asks for a value, which differs from weight to weight: use np.where or np.maximum")

    def number(self, x):
        """Refuse to give a stand-in's value as a plain number."""
        refuse("It needs one plain number: use NumPy's function, such as np.sqrt for math.sqrt")

    def item(self, x):
        """Refuse to take a stand-in for a single number."""
        refuse_whole(".item")

    def _sort_truths(self, name, operands, row):
        """Tell numbers from truths: NumPy adds, inverts and ands the two kinds differently."""
        all_truths = all(i in self.truths or isinstance(x, bool) for i, x in zip(row, operands, strict=True))
        if all_truths and name in _ON_TRUTHS:
            return _ON_TRUTHS[name]
        if name in NUMBERS and name != "where" and all_truths:
            refuse(f"np.{name} of what is true or false: write np.where(condition, 1.0, 0.0) first")
        if name not in NUMBERS and name not in TRUTHS:
            refuse(f"np.{name} is not among the functions it knows: {', '.join(sorted(NUMBERS | TRUTHS))}")
        return name


class StandIn:
    """Takes an array's place while its rule is traced: it has a shape and a dtype, and no values."""

    __slots__ = ("index", "tape")

    def __init__(self, tape, index):
        """Stand in for operand `index` of a tape."""
        self.tape, self.index = tape, index

    shape = property(lambda self: self.tape.shape)
    dtype = property(lambda self: self.tape.dtype)
    ndim = property(lambda self: len(self.tape.shape))

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        """Record what NumPy's function would have computed."""
        if "out" in kwargs:
            refuse("out= writes into an array: return a new one")
        if method != "__call__" or kwargs:
            how = f".{method}" if method != "__call__" else f" with {', '.join(kwargs)}="
            refuse_whole(f"np.{ufunc.__name__}{how}")
        return self.tape.record(ufunc.__name__, inputs)

    def __array_function__(self, function, types, args, kwargs):
        """Record the few functions of NumPy that are no ufuncs and still work one weight at a time."""
        if any(getattr(t, "spreads", False) for t in types):
            return NotImplemented  # a point takes it, coordinate by coordinate
        record = self.tape.record
        if function is np.where and len(args) == 3:
            condition = args[0]
            if type(condition) is not StandIn or condition.index not in self.tape.truths:
                condition = record("not_equal", (condition, 0.0))
            return record("where", (condition, *args[1:]))
        if function is np.clip and len(args) == 3 and not kwargs:
            x, low, high = args
            x = x if low is None else record("maximum", (x, low))
            return x if high is None else record("minimum", (x, high))
        if function in (np.zeros_like, np.ones_like) and len(args) == 1 and not kwargs:
            return 0.0 if function is np.zeros_like else 1.0
        if function is np.stack:
            return self.tape.stack(*args, **kwargs)
        if function in (np.asarray, np.array):  # np.asarray(x, like=w): a constant for the arrays' library
            return function(*args, **kwargs, like=self.tape.arrays[0])
        return refuse_whole(f"np.{function.__name__}")

    def __getattr__(self, name):
        """Refuse methods such as .max(); unknown protocols simply are not there."""
        if name.startswith("__"):
            raise AttributeError(name)
        return refuse_whole(f".{name}")

    def __bool__(self):
        """Ask the tape, on `if`, `while`, `and`, `or`, `not`."""
        return self.tape.truth(self)

    def __float__(self):
        """Ask the tape for one number."""
        return self.tape.number(self)

    __int__ = __index__ = __complex__ = __float__

    def __array__(self, dtype=None, copy=None):
        """Ask the tape for an array of one number."""
        return np.asarray(self.tape.number(self), dtype)

    def item(self):
        """Ask the tape for one number, which may stay a stand-in."""
        return self.tape.item(self)

    def __getitem__(self, key):
        """Refuse to pick weights."""
        refuse("It picks single weights, and a fused step treats all of them alike")

    __len__ = __iter__ = lambda self: self.__getitem__(None)

    def __setitem__(self, key, value):
        """Refuse to write."""
        refuse("It writes into an array: return a new one")

    def _in_place(self, other):
        refuse("It writes into its argument: write m = m * beta for m *= beta")

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = _in_place
    __hash__ = object.__hash__


def _define_operators():
    """Give StandIn its operators: recorded straight away, since a detour through NumPy doubles the time."""

    def binary(name):
        return lambda self, other: self.tape.record(name, (self, other))

    def reflected(name):
        return lambda self, other: self.tape.record(name, (other, self))

    def unary(name):
        return lambda self: self.tape.record(name, (self,))

    both = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power"}
    both |= {"and": "bitwise_and", "or": "bitwise_or", "mod": "remainder", "floordiv": "floor_divide"}
    both |= {"matmul": "matmul"}
    for dunder, name in both.items():
        setattr(StandIn, f"__{dunder}__", binary(name))
        setattr(StandIn, f"__r{dunder}__", reflected(name))
    one = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
    for dunder, name in (one | {"eq": "equal", "ne": "not_equal"}).items():
        setattr(StandIn, f"__{dunder}__", binary(name))
    for dunder, name in {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}.items():
        setattr(StandIn, f"__{dunder}__", unary(name))


_define_operators()


_NO_RULE = tuple(os.path.join(os.path.dirname(place), "") for place in (__file__, np.__file__))


def refuse(why):
    """Raise CannotTrace, naming the line of the rule: the innermost one outside this room and NumPy."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_NO_RULE):
        frame = frame.f_back
    code, line = frame.f_code, frame.f_lineno
    text = linecache.getline(code.co_filename, line, frame.f_globals).strip()
    raise CannotTrace(
        f"{code.co_name} cannot be fused, because of line {line}: {text}\n{why}. "
        "Unfused, the rule itself still works: path, train and final take it as it is."
    )


def refuse_whole(what):
    """Refuse what is asked of all weights together."""
    refuse(f"It asks for {what} of the whole array, and a fused step sees one weight at a time")
