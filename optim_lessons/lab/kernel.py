"""Print a tape as C, and run it on the GPU as one kernel."""

import functools

import numpy as np

from optim_lessons.lab.trace import TRUTHS

# NumPy's names in C, where they are not the same but for "arc".
_C = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "power": "pow({}, {})",
    "square": "{0} * {0}",
    "reciprocal": "1 / {}",
    "positive": "{}",
    "negative": "-{}",
    "absolute": "fabs({})",
    "sign": "{0} != {0} ? {0} : ({0} > 0) - ({0} < 0)",
    "maximum": "({0} >= {1} || {0} != {0}) ? {0} : {1}",
    "minimum": "({0} <= {1} || {0} != {0}) ? {0} : {1}",
    "where": "{} ? {} : {}",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "equal": "{} == {}",
    "not_equal": "{} != {}",
    "logical_and": "{} && {}",
    "logical_or": "{} || {}",
    "logical_not": "!{}",
}


def print_c(ops, wanted, dtype, types):
    """Print a tape as C, for cupy.ElementwiseKernel: the inputs, the outputs and the lines between them.

    ops, wanted: the tape's operations, and the operands to hand out.  dtype: of the results.
    types: (dtypes of the arrays, dtypes of the hosts). Arrays are a0, a1, ..., hosts h0, h1, ...
    """
    arrays, hosts = types
    real = "float" if dtype == np.float32 else "double"

    def text(i):
        name, its = (f"a{i}", arrays[i]) if i >= 0 else (f"h{~i}", hosts[~i])
        return name if its == dtype else f"({real}){name}"

    value = {i: text(i) for i in range(-len(hosts), len(arrays))}
    lines = []
    for i, (name, *operands) in enumerate(ops, len(arrays)):
        formula = _C.get(name) or name.replace("arc", "a") + "(" + ", ".join("{}" for _ in operands) + ")"
        kind = "bool" if name in TRUTHS else real
        value[i] = f"x{i}"
        lines.append(f"const {kind} x{i} = {formula.format(*(value[j] for j in operands))};")
    outputs = [f"{'bool' if ops[i - len(arrays)][0] in TRUTHS else dtype.name} y{i}" for i in wanted]
    inputs = [f"{its.name} a{i}" for i, its in enumerate(arrays)] + [
        f"{its.name} h{i}" for i, its in enumerate(hosts)
    ]
    lines += [f"y{i} = {value[i]};" for i in wanted]
    return ", ".join(inputs), ", ".join(outputs), "\n".join(lines)


@functools.lru_cache(maxsize=256)
def _kernel(ops, wanted, dtype, types, name):
    import cupy

    name = name if name.isidentifier() and name.isascii() else "rule"
    return cupy.ElementwiseKernel(*print_c(ops, wanted, dtype, types), f"fused_{name}")


def launch(tape, wanted, name, out=()):
    """Return the wanted results of a tape of CuPy arrays, computed by one kernel; in `out`, if it is given.

    Hosts are arguments in the array's dtype: printed into the text, each step would compile anew.
    """
    if not wanted:
        return ()
    hosts = [x if type(x) is float else _argument(x, name) for x in tape.hosts]
    its = tape.dtype
    types = (
        tuple([x.dtype for x in tape.arrays]),
        tuple([its if type(x) is float else x.dtype for x in hosts]),
    )
    results = _kernel(tuple(tape.ops), wanted, tape.dtype, types, name)(*tape.arrays, *hosts, *out)
    return results if isinstance(results, tuple) else (results,)


def _argument(x, name):
    if hasattr(x, "__cuda_array_interface__"):
        return x
    if np.ndim(x):
        raise TypeError(
            f"{name} makes a NumPy array of shape {np.shape(x)}, but its weights are on the GPU: "
            "make it like them, as in np.asarray(x, like=w)"
        )
    return float(x)
