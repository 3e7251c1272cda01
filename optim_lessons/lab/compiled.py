"""Print a tape as a Python loop over the weights, and have Numba compile it, if Numba is there."""

import functools

import numpy as np

from optim_lessons.lab.trace import TRUTHS


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


def print_python(ops, wanted, arrays, many):
    """Print a tape as a Python function of the arrays a0, ..., the hosts h0, ... and the results y0, ...

    arrays: how many.  many: for each host, whether it is an array as well.
    """
    hosts = range(len(many))
    value = {i: f"a{i}[i]" for i in range(arrays)} | {~i: f"h{i}" + "[i]" * many[i] for i in hosts}
    names = [f"a{i}" for i in range(arrays)] + [f"h{i}" for i in hosts] + [f"y{i}" for i in wanted]
    lines = [f"def step({', '.join(names)}):", "    for i in range(a0.size):"]
    for i, (name, *operands) in enumerate(ops, arrays):
        lines.append(f"        x{i} = np.{name}({', '.join(value[j] for j in operands)})")
        value[i] = f"x{i}"
    lines += [f"        y{i}[i] = x{i}" for i in wanted]
    return "\n".join(lines)


@functools.lru_cache(maxsize=256)
def compiled(ops, wanted, arrays, many, dtype):
    """Return a tape as a compiled function of flat arrays, or None if it cannot be compiled here."""
    if not compiler()[0]:
        return None
    import numba

    def flat(dtype, readonly):
        return numba.types.Array(numba.from_dtype(np.dtype(dtype)), 1, "C", readonly=readonly)

    number = numba.from_dtype(dtype)
    signature = [flat(dtype, True)] * arrays + [flat(dtype, True) if x else number for x in many]
    signature += [flat(bool if ops[i - arrays][0] in TRUTHS else dtype, False) for i in wanted]
    functions = {"np": np}
    exec(print_python(ops, wanted, arrays, many), functions)
    try:
        return numba.njit(numba.void(*signature), nogil=True, error_model="numpy")(functions["step"])
    except numba.core.errors.NumbaError:  # a function that this Numba does not know
        return None
