"""Print a tape as a Python loop over the weights, and have Numba compile it, if Numba is there."""

import functools

import numpy as np

from optim_lessons.lab.tape.points import STEP, WALK
from optim_lessons.lab.tape.trace import TRUTHS


@functools.cache
def compiler():
    """Return (True, the compiler's name), or (False, why there is none)."""
    try:
        import numba
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "numba":
            return False, "Numba is not installed: pip install numba makes large steps on the CPU faster"
        return False, f"Numba is installed, but broken: {type(error).__name__}: {error}"
    if numba.config.DISABLE_JIT:
        return False, "Numba is switched off by NUMBA_DISABLE_JIT"
    return True, f"Numba {numba.__version__}"


def print_python(ops, wanted, arrays, many, into):
    """Print a tape as a Python function of the arrays a0, ..., the hosts h0, ... and the results y0, ...

    arrays: how many.  many: for each host, whether it is an array as well.  into: for each wanted result, the
    array that it is written over, or None.
    """
    hosts = range(len(many))
    value = {i: f"a{i}[i]" for i in range(arrays)} | {~i: f"h{i}" + "[i]" * many[i] for i in hosts}
    names = [f"a{i}" for i in range(arrays)] + [f"h{i}" for i in hosts]
    results = [f"y{i}" if j is None else f"a{j}" for i, j in zip(wanted, into, strict=True)]
    names += [name for name in results if name not in names]
    lines = [f"def step({', '.join(names)}):", "    for i in range(a0.size):"]
    for i, (name, *operands) in enumerate(ops, arrays):
        lines.append(f"        x{i} = {_call(name, [value[j] for j in operands])}")
        value[i] = f"x{i}"
    lines += [f"        {result}[i] = x{i}" for result, i in zip(results, wanted, strict=True)]
    return "\n".join(lines)


@functools.lru_cache(maxsize=256)
def compiled(ops, wanted, arrays, many, dtype, into):
    """Return a tape as a compiled function of flat arrays, or None if it cannot be compiled here."""
    if not compiler()[0]:
        return None
    import numba

    def flat(dtype, readonly):
        return numba.types.Array(numba.from_dtype(np.dtype(dtype)), 1, "C", readonly=readonly)

    number = numba.from_dtype(dtype)
    signature = [flat(dtype, i not in into) for i in range(arrays)]
    signature += [flat(dtype, True) if x else number for x in many]
    fresh = [i for i, j in zip(wanted, into, strict=True) if j is None]
    signature += [flat(bool if ops[i - arrays][0] in TRUTHS else dtype, False) for i in fresh]
    functions = {"np": np}
    exec(print_python(ops, wanted, arrays, many, into), functions)
    try:
        return numba.njit(numba.void(*signature), nogil=True, error_model="numpy")(functions["step"])
    except numba.core.errors.NumbaError:  # a function that this Numba does not know
        return None


def print_walk(step):
    """Print all steps of many runs as a Python function of flat arrays; letters as in `kernel.print_walk`."""
    hosts, knobs = [f"h{k}" for k in range(len(step.hosts))], [f"k{i}" for i in step.knobs.values()]
    value = {~k: name for k, name in enumerate(hosts)}
    value |= {i: f"k{i}[i]" for i in step.knobs.values()}
    value |= {i: f"u[t, {k}]" for k, i in enumerate(step.columns())}
    carried = {old: new for old, new in step.carried.items() if step.level(old) > STEP}
    value |= {old: f"r{old}[i]" for old in carried}
    lines = [f"def walk({', '.join(['u', *hosts, *knobs, *(f'r{old}' for old in carried)])}):"]
    lines += ["    for t in range(u.shape[0]):", "        for i in range(r0.size):"]
    for i, _, text in step.printed(value, _call, "real({})".format):
        lines.append(f"            x{i} = {text}")
    lines += [f"            z{old} = {value[new]}" for old, new in carried.items()]
    lines += [f"            r{old}[i] = z{old}" for old in carried]
    return "\n".join(lines)


def _call(name, operands):
    if name == "where":  # of single numbers, Numba's np.where makes arrays
        return "{1} if {0} else {2}".format(*operands)
    return f"np.{name}({', '.join(operands)})"


def compiled_walk(step, dtype):
    """Return all steps of many runs as a compiled function, or None if they cannot be compiled here."""
    if not compiler()[0]:
        return None
    levels = tuple(step.level(old) for old in step.carried if step.level(old) > STEP)
    return _compiled_walk(print_walk(step), len(step.hosts), len(step.knobs), levels, dtype)


@functools.lru_cache(maxsize=256)
def _compiled_walk(text, hosts, knobs, levels, dtype):
    import numba

    functions = {"np": np, "real": dtype.type}
    exec(text, functions)
    double, real = numba.types.float64, numba.from_dtype(dtype)
    signature = [double[:, ::1], *[double] * hosts, *[double[::1]] * knobs]
    signature += [(real if level == WALK else double)[::1] for level in levels]
    try:
        return numba.njit(numba.void(*signature), nogil=True, error_model="numpy")(functions["walk"])
    except numba.core.errors.NumbaError:  # a function that this Numba does not know
        return None
