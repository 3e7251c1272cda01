"""An array that behaves as one on a GPU, so that code for CuPy is tested where there is no card.

NumPy's functions dispatch on it. It refuses what CuPy refuses: to meet a NumPy array in one call, to become
one unasked, to be part of a list that NumPy makes an array of. Results are StrictArrays, 0-d ones too.
"""

import numpy as np

_TAKES_NUMPY = {np.asarray, np.array, np.full_like}  # with like=, asarray is the open way from CPU to GPU


class StrictArray(np.lib.mixins.NDArrayOperatorsMixin):
    """Make one with StrictArray(numpy_array); `.get()` brings it back, as CuPy's does."""

    def __init__(self, data):
        self._data = np.array(data)

    def get(self):
        """Return the numbers as a NumPy array: the open way back."""
        return self._data.copy()

    def __array__(self, dtype=None, copy=None):
        raise TypeError("implicit conversion to a NumPy array is not allowed: use .get()")

    def __array_ufunc__(self, ufunc, method, *args, out=None, **options):
        if out is not None:
            options["out"] = tuple(_inside(x) for x in out)
        return _outside(getattr(ufunc, method)(*_inside(args), **_inside(options)))

    def __array_function__(self, function, types, args, options):
        if not all(issubclass(t, StrictArray) for t in types):
            raise TypeError(f"{function.__name__}: NumPy and strict arrays are mixed")
        if function in _TAKES_NUMPY:
            args = [x.get() if isinstance(x, StrictArray) else x for x in args]
            return StrictArray(function(*args, **options))
        return _outside(function(*_inside(args), **_inside(options)))

    def __getitem__(self, key):
        return _outside(self._data[_inside(key)])

    def __setitem__(self, key, value):
        self._data[_inside(key)] = _inside(value)

    def __len__(self):
        return len(self._data)

    def __iter__(self):
        return (StrictArray(x) for x in self._data)

    def __bool__(self):
        return bool(self._data)

    def __float__(self):
        return float(self._data)

    def __int__(self):
        return int(self._data)

    def __repr__(self):
        return f"StrictArray({self._data!r})"


def _forward(name):
    def method(self, *args, **options):
        return _outside(getattr(self._data, name)(*_inside(args), **_inside(options)))

    return method


for _name in (
    "all",
    "any",
    "argmax",
    "astype",
    "copy",
    "max",
    "mean",
    "min",
    "ravel",
    "reshape",
    "squeeze",
    "std",
    "sum",
    "swapaxes",
):
    setattr(StrictArray, _name, _forward(_name))
for _name in ("dtype", "ndim", "nbytes", "shape", "size"):
    setattr(StrictArray, _name, property(lambda self, name=_name: getattr(self._data, name)))
for _name in ("item", "tolist"):  # these hand numbers back to Python, as CuPy's do
    setattr(StrictArray, _name, lambda self, *args, name=_name: getattr(self._data, name)(*args))
StrictArray.T = property(lambda self: StrictArray(self._data.T))


def _inside(x):
    """Return what stands inside a StrictArray; refuse NumPy arrays, however deep they hide."""
    if isinstance(x, StrictArray):
        return x._data
    if isinstance(x, np.ndarray):
        raise TypeError("unsupported type: a NumPy array beside a strict one")
    if isinstance(x, tuple | list):
        return type(x)(_inside(y) for y in x)
    if isinstance(x, dict):
        return {name: _inside(y) for name, y in x.items()}
    return x


def _outside(x):
    if isinstance(x, np.ndarray | np.generic):
        return StrictArray(x)
    if isinstance(x, tuple):
        return tuple(_outside(y) for y in x)
    return x
