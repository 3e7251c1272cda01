"""Print a tape as C, and run it on the GPU as one kernel: a step, or the whole walk."""

import functools

import numpy as np

from optim_lessons.lab.tape.points import STEP, WALK
from optim_lessons.lab.tape.trace import TRUTHS

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
        kind = "bool" if name in TRUTHS else real
        value[i] = f"x{i}"
        lines.append(f"const {kind} x{i} = {_formula(name, [value[j] for j in operands])};")
    outputs = [f"{'bool' if ops[i - len(arrays)][0] in TRUTHS else dtype.name} y{i}" for i in wanted]
    inputs = [f"{its.name} a{i}" for i, its in enumerate(arrays)] + [
        f"{its.name} h{i}" for i, its in enumerate(hosts)
    ]
    lines += [f"y{i} = {value[i]};" for i in wanted]
    return ", ".join(inputs), ", ".join(outputs), "\n".join(lines)


def _formula(name, operands):
    formula = _C.get(name) or name.replace("arc", "a") + "(" + ", ".join("{}" for _ in operands) + ")"
    return formula.format(*operands)


def print_walk(step, dtype):
    """Print all steps of a run as C, for cupy.ElementwiseKernel: inputs, outputs and the lines between.

    step: see `tape/points.py`.  dtype: of the weights. In the text u is the step's table, h its hosts,
    s the first values of the state, k the knobs, w the start, r what is carried from step to step.
    """
    real = "float" if dtype == np.float32 else "double"
    its = {"real": real, "double": "double", "bool": "bool"}
    width = max(len(step.columns()), 1)
    value = {~k: f"h{k}" for k in range(len(step.hosts))} | {i: f"k{i}" for i in step.knobs.values()}
    value |= {i: f"u[t * {width} + {k}]" for k, i in enumerate(step.columns())}
    carried = {old: new for old, new in step.carried.items() if step.level(old) > STEP}
    value |= {old: f"r{old}" for old in carried}
    kinds = {old: real if step.level(old) == WALK else "double" for old in carried}
    lines = [f"{kinds[old]} r{old} = {'w' if old < step.n else 's'}{old};" for old in carried]
    lines.append("for (int t = 0; t < steps; ++t) {")
    for i, kind, text in step.printed(value, _formula, f"({real}){{}}".format):
        lines.append(f"    const {its[kind]} x{i} = {text};")
    lines += [f"    const {kinds[old]} z{old} = {value[new]};" for old, new in carried.items()]
    lines += [f"    r{old} = z{old};" for old in carried]
    lines += ["}", *(f"y{i} = r{i};" for i in range(step.n))]
    inputs = [f"float64 h{k}" for k in range(len(step.hosts))]
    inputs += [f"float64 s{old}" for old in carried if old >= step.n]
    inputs += [f"float64 k{i}" for i in step.knobs.values()]
    inputs += [f"{dtype.name} w{i}" for i in range(step.n)]
    outputs = [f"{dtype.name} y{i}" for i in range(step.n)]
    return ", ".join(["raw float64 u", "int32 steps", *inputs]), ", ".join(outputs), "\n".join(lines)


@functools.lru_cache(maxsize=256)
def _walk_kernel(inputs, outputs, body):
    import cupy

    return cupy.ElementwiseKernel(inputs, outputs, body, "walk")


def launch_walk(step, w, table, knobs):
    """Return where all runs of a CuPy array end, computed by one kernel.  knobs: name → array."""
    kernel = _walk_kernel(*print_walk(step, w.dtype))
    first = [float(x) for old, x in step.state.items() if step.level(old) > STEP]
    axes = [knobs[name][..., 0].astype(np.float64) for name in step.knobs]
    table_there = np.asarray(table.reshape(-1), like=w)
    hosts = [float(x) for x in step.hosts]
    ends = kernel(table_there, len(table), *hosts, *first, *axes, *(w[..., i] for i in range(step.n)))
    return np.stack(ends, axis=-1)


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
