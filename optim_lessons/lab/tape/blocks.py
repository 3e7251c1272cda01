"""Play a tape on the CPU, block by block, so that everything between the arrays stays in the cache.

Each worker thread takes the next block until none is left: NumPy lets go of Python while it computes.
"""

import contextvars
import functools
import math
import operator
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from optim_lessons.lab.tape.compiled import compiled
from optim_lessons.lab.tape.trace import TRUTHS

BLOCK = 2**17  # weights: smaller blocks fit a nearer cache, but cost more calls
_shelf: list[np.ndarray] = []  # the buffers of results that nobody holds any more


def play(tape, wanted, into=()):
    """Return the wanted results of a tape.

    wanted: operands, none of them an array that went in.  into: for each, the array that it may be written
    over, or None for a new one. Hosts are numbers, or arrays that broadcast to the tape's shape.
    """
    dtype, inputs, ops = tape.dtype, len(tape.arrays), tuple(tape.ops)
    hosts = [np.asarray(x, dtype=dtype) for x in tape.hosts]
    many = tuple(x.ndim > 0 for x in hosts)
    into = into or (None,) * len(wanted)
    run = compiled(ops, wanted, inputs, many, dtype, into)
    # One loop keeps nothing in the cache from operation to operation: it only needs work for each thread.
    most = max(BLOCK, math.prod(tape.shape) // (4 * _workers())) if run else BLOCK
    if run is None:
        into = tuple(_unless_read_later(ops, i, j, inputs) for i, j in zip(wanted, into, strict=True))
        run = _program(ops, wanted, inputs, len(hosts), dtype, into)
    fresh = [
        _new(tape.shape, np.dtype(bool) if ops[i - inputs][0] in TRUTHS else dtype)
        for i, j in zip(wanted, into, strict=True)
        if j is None
    ]
    arrays, shape = [x.astype(dtype, copy=False) for x in tape.arrays], tape.shape
    if not any(many):
        shape = (math.prod(shape),)
        arrays = [x.reshape(-1) for x in arrays]
    hosts = [np.broadcast_to(x, shape) if x.ndim else x for x in hosts]
    sources = [*arrays, *hosts, *(x.reshape(shape) for x in fresh)]

    def work(block):
        run(*[np.ascontiguousarray(x[block]).reshape(-1) if x.ndim else x[()] for x in sources])

    share(work, blocks(shape, most))
    fresh = iter(fresh)
    return [next(fresh) if j is None else tape.arrays[j] for j in into]


def _unless_read_later(ops, i, j, inputs):
    """Return array j, unless an operation after the one that computes i needs what it holds."""
    return j if all(j not in operands for _, *operands in ops[i - inputs + 1 :]) else None


def blocks(shape, most):
    """Cut a shape into pieces of at most so many elements: index tuples that keep the trailing axes whole."""
    inner = math.prod(shape[1:])
    rows = max(1, most // inner)
    for start in range(0, shape[0], rows):
        if inner <= most:
            yield (slice(start, start + rows),)
        else:
            yield from ((slice(start, start + 1), *rest) for rest in blocks(shape[1:], most))


def share(work, items):
    """Call work(item) for each item; every worker thread takes the next one until none is left."""
    items = iter(list(items))

    def take():
        for item in items:
            work(item)

    # NumPy's errstate lives in the context, which a thread does not inherit.
    helpers = min(_workers(), operator.length_hint(items)) - 1
    others = [_pool().submit(contextvars.copy_context().run, take) for _ in range(helpers)]
    try:
        take()
    finally:
        for other in others:
            other.result()


@functools.lru_cache(maxsize=256)
def _program(ops, wanted, arrays, hosts, dtype, into):
    """Return a tape as a function of flat blocks: NumPy's functions, one after the other.

    Its registers are the arrays, the hosts, the results, then scratch ones, for truths (True) or numbers,
    each free again after its value's last use.
    """
    place = {i: i for i in range(arrays)} | {~i: arrays + i for i in range(hosts)}
    fresh = [i for i, j in zip(wanted, into, strict=True) if j is None]
    place |= {i: arrays + hosts + k for k, i in enumerate(fresh)}
    place |= {i: j for i, j in zip(wanted, into, strict=True) if j is not None}
    needed, plan = set(place), []
    for i, (name, *operands) in reversed(list(enumerate(ops, arrays))):
        plan.append((i, name, operands, set(operands) - needed))
        needed.update(operands)
    steps, scratch, free, first = [], [], {True: [], False: []}, arrays + hosts + len(fresh)
    for i, name, operands, last_used in reversed(plan):
        for j in last_used:
            free[scratch[place[j] - first]].append(place[j])
        if i not in place:
            true = name in TRUTHS
            if not free[true]:
                free[true].append(first + len(scratch))
                scratch.append(true)
            place[i] = free[true].pop()
        function = _where if name == "where" else getattr(np, name)
        steps.append((function, [place[j] for j in operands], place[i]))

    def run(*registers):
        size = registers[0].size
        registers += tuple(_scratch(k, bool if true else dtype)[:size] for k, true in enumerate(scratch))
        for function, operands, result in steps:
            function(*[registers[i] for i in operands], out=registers[result])

    return run


_kept = threading.local()


def _scratch(k, dtype):
    """Return this thread's k-th scratch register: kept, since fresh memory costs more than using it."""
    size = BLOCK * np.dtype(dtype).itemsize
    memory = _kept.__dict__.get(k)
    if memory is None or memory.size < size:
        memory = _kept.__dict__[k] = np.empty(BLOCK * 8, np.uint8)
    return memory[:size].view(dtype)


def _where(condition, a, b, out):
    np.copyto(out, np.where(condition, a, b))


class _Lease:
    """Holds a result's buffer, and puts it on the shelf when the result and all its views are gone.

    Fresh memory is cleared by the operating system page by page, which takes as long as the step itself.
    """

    def __init__(self, buffer):
        self.buffer, self.__array_interface__ = buffer, buffer.__array_interface__

    def __del__(self, shelf=_shelf):
        shelf.append(self.buffer)
        del shelf[:-4]


def _new(shape, dtype):
    size = math.prod(shape) * dtype.itemsize
    buffer = None
    while buffer is None or buffer.size != size:  # buffers of another size are let go
        buffer = _shelf.pop() if _shelf else np.empty(size, np.uint8)
    return np.asarray(_Lease(buffer)).view(dtype).reshape(shape)


def _workers():
    """Return the number of threads: the cores this process may use, or OMP_NUM_THREADS, as elsewhere."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(asked) if asked.isdigit() and int(asked) > 0 else min(cores, 8)


@functools.cache
def _pool():
    return ThreadPoolExecutor(64, "blocks")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a fork leaves the threads behind
