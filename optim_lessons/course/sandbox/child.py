"""Runs beside a learner's code, alone: finds the cells that answer, runs them, sends plain values back.

    python child.py FOLDER [OWN]    # where notebook.py is, the reader of notebooks; a folder to take away

Standard library and NumPy only; beside that reader there is no course here, and no right answer. The parent,
box.py, talks to it in frames: four bytes of length, then JSON. It asks first for the names a notebook
defines, then for one exercise at a time. Where the system can fork, each exercise has a process of its own.
"""

import ast
import base64
import builtins
import contextlib
import functools
import importlib.machinery
import inspect
import json
import math
import os
import re
import select
import shutil
import signal
import sys
import time
import traceback

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    import notebook

    del sys.path[0]
else:
    from optim_lessons.course import notebook

ARRAY_BYTES, TEXT, ITEMS, DEPTH = 1_000_000, 2_000, 1_000, 4
PARTS, AXES = 20_000, 32  # of one value, of one array
FRAME_BYTES = 2_000_000
ANSWERS = tuple(f"{notebook.COURSE}.{name}" for name in ("course.exercises", "teaching"))


# Plain values


def encode(value, depth=0):
    """Return a value as JSON can hold it; of what is no plain value, the type's name and a short text."""
    np = sys.modules.get("numpy")
    if value is None or isinstance(value, bool):
        return value
    if value is ...:
        return {"is": "ellipsis"}
    if np and isinstance(value, np.ndarray | np.generic) and not isinstance(value, np.ma.MaskedArray):
        return _encode_array(np, value)
    if isinstance(value, int):
        return int.__int__(value) if int.bit_length(value) < 5000 else float("inf")
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return str.__getitem__(value, slice(0, TEXT))
    if isinstance(value, complex):
        return {"is": "complex", "items": [value.real, value.imag]}
    if type(value).__module__ in ("fractions", "decimal"):
        return float(value)
    for kind in (tuple, list, set, dict):
        if isinstance(value, kind) and depth < DEPTH and kind.__len__(value) <= ITEMS:
            items = dict.items(value) if kind is dict else kind.__iter__(value)
            return {"is": kind.__name__, "items": [encode(item, depth + 1) for item in items]}
    for kind in ("generator", "asyncgen", "coroutine"):
        if getattr(inspect, f"is{kind}")(value):
            return {"is": kind}
    return {"is": "object", "type": type(value).__name__[:60], "text": _short(value)}


def _encode_array(np, value):
    array = np.asarray(value)
    if array.nbytes > ARRAY_BYTES:
        return {"is": "object", "type": "ndarray", "text": f"<array of shape {array.shape}>"}
    kind = "array" if isinstance(value, np.ndarray) else "scalar"
    if array.dtype.kind not in "biufc":
        return {"is": kind, "dtype": "O", "shape": list(array.shape)}
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"is": kind, "dtype": array.dtype.str, "shape": list(array.shape), "data": data}


def decode(content, function=None):
    """Return the value that `encode` was given, arrays read-only.  function: makes what is called.

    What `encode` never makes raises some exception, whichever comes first. How much is built is bounded.
    """
    left = PARTS

    def part(content):
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError("too many parts")
        if isinstance(content, str):
            return content[:TEXT]
        if content is None or isinstance(content, bool | int | float):
            return content
        kind = content["is"]
        if kind in ("array", "scalar"):
            return _decode_array(content)
        if kind in ("tuple", "list", "set", "dict"):
            if len(content["items"]) > ITEMS:
                raise ValueError("too many items")
            items = [part(item) for item in content["items"]]
            if kind == "dict" and not all(type(item) is tuple and len(item) == 2 for item in items):
                raise ValueError("a dict is made of pairs")
            return {"tuple": tuple, "list": list, "set": set, "dict": dict}[kind](items)
        if kind == "ellipsis":
            return ...
        if kind == "complex":
            real, imaginary = content["items"]
            return complex(real, imaginary)
        if kind == "object":
            text = str(content["text"])[:TEXT]
            return type(str(content["type"])[:60], (), {"__repr__": lambda self: text})()
        return function(content)

    return part(content)


def _decode_array(content):
    import numpy as np

    shape, dtype = tuple(content["shape"]), content["dtype"]
    if len(shape) > AXES or not all(type(n) is int and 0 <= n <= ARRAY_BYTES for n in shape):
        raise ValueError("no shape of an array that can be sent")
    few = math.prod(shape) <= ITEMS >= max(shape, default=0)
    if dtype == "O" or (0 in shape and not few):  # a million rows of nothing are a million arrays
        return np.full(shape, None, object) if few else object()
    if not re.fullmatch(r"[<>|=][biufc]\d{1,2}", dtype):
        raise ValueError(f"{dtype!r} is no type of plain numbers")
    array = np.frombuffer(base64.b64decode(content["data"]), dtype).reshape(shape)
    return array if content["is"] == "array" else array[()]


def describe(value):
    """Return a learner's answer: a plain value, or of a function its kind and its arguments."""
    if not callable(value) or value is ...:
        return encode(value)
    described = {"is": "function", "type": type(value).__name__[:60], "kind": "plain", "parameters": None}
    if inspect.isclass(value):
        described["kind"] = "class"
    elif inspect.isgeneratorfunction(value) or inspect.isasyncgenfunction(value):
        described["kind"] = "generator"
    elif inspect.iscoroutinefunction(value):
        described["kind"] = "coroutine"
    else:
        with contextlib.suppress(TypeError, ValueError):
            described["parameters"] = [
                [p.name, p.kind.name, p.default is not p.empty, encode(p.default)]
                for p in inspect.signature(value).parameters.values()
            ]
        described["globals"] = _stores_globals(value)
        described["written"] = uses_names(getattr(value, "__code__", None))
    return described


def _stores_globals(value):
    import dis

    code = getattr(value, "__code__", None)
    return code is not None and any(step.opname == "STORE_GLOBAL" for step in dis.get_instructions(code))


def uses_names(code):
    """Return whether a function's code mentions a variable; `...` and `pass` do not."""
    import dis

    kinds = ("FAST", "GLOBAL", "NAME", "DEREF")
    return code is not None and any(k in step.opname for step in dis.get_instructions(code) for k in kinds)


def _short(value):
    try:
        return repr(value)[:100]
    except Exception:  # a value may have a broken repr
        return f"<{type(value).__name__[:60]}>"


# One exercise


class Stopped(BaseException):
    """The time is over."""


class Deaf:
    """Stands for what a page calls and an answer does not need."""

    def __call__(self, *args, **kwargs):
        """Do nothing."""
        return self

    def __getattr__(self, name):
        """Have everything, which does nothing."""
        if name.startswith("__"):
            raise AttributeError(name)
        return self


class Clock:
    """Counts the processor's seconds of a learner's code, and stops it softly when they are used up.

    Not the seconds of the clock: a busy machine must not cost anybody points.
    """

    def __init__(self, seconds):
        self.left, self._soft = seconds, hasattr(signal, "setitimer")
        if self._soft:
            signal.signal(signal.SIGPROF, self._stop)

    def _stop(self, *_):
        raise Stopped

    def __enter__(self):
        """Start."""
        self._begun = time.process_time()
        if self._soft:  # again and again, for code that swallows it
            signal.setitimer(signal.ITIMER_PROF, max(self.left, 0.001), 0.05)

    def __exit__(self, *_):
        """Pause."""
        if self._soft:
            signal.setitimer(signal.ITIMER_PROF, 0)
        self.left -= time.process_time() - self._begun


def serve_exercise(channel, name, statements, extra, seconds, source):
    """Run the statements of a cell, send what the name is, and answer calls until the parent ends it."""
    namespace = {"__name__": "__main__", "__builtins__": builtins} | dict.fromkeys(notebook.BESIDE, Deaf())
    clock = Clock(seconds)

    def attempt(call):
        try:
            with clock:
                done = call()
            return done
        except BaseException as error:  # whatever it is, it is the learner's
            if isinstance(error, MemoryError):  # its local variables fill the memory still
                traceback.clear_frames(error.__traceback__)
            return {"error": tell(error, source)}

    def run():
        for statement in extra:
            with contextlib.suppress(Exception):  # if it is missed, the answer's own cell will say so
                execute(statement, namespace)
        lacking = None
        for place, statement in enumerate(statements):
            try:
                execute(statement, namespace)
            except Exception as error:
                if isinstance(error, ModuleNotFoundError) and notebook.of_course(error.name):
                    lacking = error
                if not any(name in notebook.bound(later) for later in statements[place:]):
                    break  # what comes after the answer does not take it back
                # A picture of the course's in the same cell is missed only by an answer that needs it.
                if lacking is None or name in notebook.bound(statement):
                    raise lacking or error from None
        if name not in namespace:
            raise lacking or NameError(f"name {name!r} is not defined")
        return {"value": describe(namespace[name])}

    channel.send(attempt(run))
    while (request := channel.receive()).get("do") == "call":
        arguments = [decode(x, channel.callback) for x in request["args"]]
        knobs = {key: decode(x, channel.callback) for key, x in request["kwargs"].items()}
        call = functools.partial(namespace[name], *arguments, **knobs)
        channel.send(attempt(lambda call=call: {"value": encode(call())}))


def execute(statement, namespace):
    """Run one statement."""
    exec(compile(ast.Module([statement], []), notebook.ANSWER, "exec"), namespace)


def tell(error, source=""):
    """Return an exception as plain values: its name, built-in kind, text, line."""
    kinds = [k.__name__ for k in type(error).__mro__ if getattr(builtins, k.__name__, None) is k]
    frames = traceback.walk_tb(error.__traceback__)
    lines = [n for frame, n in frames if frame.f_code.co_filename == notebook.ANSWER]
    try:
        text = str(error)[:TEXT]
    except Exception:  # an exception of the learner's own may have a broken __str__
        text = ""
    return {
        "type": type(error).__name__[:60],
        "kind": kinds[0] if kinds else "Exception",
        "text": text,
        "line": lines[-1] if lines else None,
        "code": "".join(source.split("\n")[lines[-1] - 1 : lines[-1]]).strip()[:200] if lines else "",
    }


# The process


class Channel:
    """Frames to and from the parent.  source, target: file descriptors."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.gone = lambda: os._exit(0)  # what to do when the parent is

    def _read(self, size):
        pieces = []
        while size:
            piece = os.read(self.source, min(size, 1 << 16))
            if not piece:
                self.gone()
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def receive_bytes(self):
        """Return the next frame."""
        return self._read(int.from_bytes(self._read(4), "big"))

    def receive(self):
        """Return the next frame's JSON."""
        return json.loads(self.receive_bytes())

    def send(self, content):
        """Send JSON."""
        data = json.dumps(content).encode()
        if len(data) > FRAME_BYTES:
            data = json.dumps(
                {"error": {"type": "MemoryError", "kind": "MemoryError", "text": "", "line": None}}
            )
            data = data.encode()
        data = len(data).to_bytes(4, "big") + data
        while data:
            data = data[os.write(self.target, data) :]

    def callback(self, content):
        """Return a function of the parent's, such as the loss that a gradient is asked for."""

        def call(*args):
            self.send({"callback": content["index"], "args": [encode(x) for x in args]})
            answer = self.receive()
            if "error" in answer:
                raise ValueError(answer["error"])
            return decode(answer["value"])

        return call


def end_the_others():
    """End all that an exercise has left running in this process space."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def limit_memory(memory):
    """Limit this process's memory, not for good."""
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):  # not every system can
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, resource.getrlimit(resource.RLIMIT_AS)[1]))


def limit(memory, seconds):
    """Limit this process: memory, time, the size and number of files, in namespaces of processes, too."""
    try:
        import resource
    except ImportError:  # Windows
        return
    # Threads count as processes, and some libraries hang without any. Outside of a process space of its own
    # all of a user's processes count: there only the parent looks how many there are.
    processes = {"RLIMIT_NPROC": 64} if os.getppid() == 1 else {}
    for name, value in {
        "RLIMIT_AS": memory,
        "RLIMIT_CPU": int(seconds) + 2,  # for what is deaf to the soft stop
        "RLIMIT_FSIZE": 8_000_000,
        "RLIMIT_NOFILE": 64,
        **processes,
        "RLIMIT_CORE": 0,
    }.items():
        if hasattr(resource, name):
            with contextlib.suppress(ValueError, OSError):  # macOS does not know all of them
                hard = value + (name == "RLIMIT_CPU")
                resource.setrlimit(getattr(resource, name), (value, hard))


class OnlyTools:
    """Finds the course, without its answers, in a folder; or no course: an answer is the learner's own."""

    def __init__(self, folder):
        self.folder = folder

    def find_spec(self, name, path=None, target=None):
        """Refuse the course's modules that are not to be there, wherever it is installed."""
        if not notebook.of_course(name):
            return None
        if self.folder is None or name.startswith(ANSWERS):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return importlib.machinery.PathFinder.find_spec(name, path or [self.folder])


# What the kernel does for nobody in a box: it reaches what no limit counts and no wall holds.
REFUSED = {
    "keyrings, which pass messages on": "add_key keyctl request_key",
    "memory that is no process's": "memfd_create memfd_secret shmget shmat msgget semget mq_open",
    "other processes": "ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp",
    "file systems": "mount umount2 pivot_root move_mount open_tree fsopen fsmount fspick mount_setattr",
    "walls": "unshare setns open_by_handle_at name_to_handle_at personality quotactl acct swapon reboot",
    "the kernel itself": "bpf perf_event_open userfaultfd io_uring_setup init_module finit_module kexec_load",
}


def shut():
    """Have the kernel refuse calls for good, for this process and all that it starts; take a new keyring.

    By libseccomp, which comes with every system that has systemd, and knows each processor's numbers.
    """
    import ctypes
    import errno

    kernel, seccomp = ctypes.CDLL(None), ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    names = " ".join(REFUSED.values()).split()
    number = {name: seccomp.seccomp_syscall_resolve_name(name.encode()) for name in names}
    kernel.syscall(number["keyctl"], 1, None)  # a session of its own
    kernel.prctl(4, 0, 0, 0, 0)  # nobody looks into this process's memory
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EPERM
    rules = ctypes.c_void_p(seccomp.seccomp_init(allow))
    for name in names:  # an older library does not know the newest
        if number[name] != -1:
            seccomp.seccomp_rule_add_array(rules, refuse, number[name], 0, None)
    if seccomp.seccomp_load(rules) != 0:
        raise OSError("the kernel takes no filter of its calls (seccomp)")


def leave(folder=None):
    """End this process, its family and its folder, if it has one: the parent is gone."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(AttributeError, OSError):
        if os.getpid() != 1 and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
    os._exit(0)


def watched(process, source, bell):
    """Return how a process ended, once it has; leave when the parent is gone, whatever the process does.

    bell: a pipe that signals are told in.
    """
    both = select.poll()
    both.register(bell, select.POLLIN)
    both.register(source, 0)  # what is in it is not for this process: only whether it is closed
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        for pipe, _ in both.poll():
            if pipe == source:
                return None
            os.read(bell, 100)


def main():
    """Serve the parent until it goes."""
    channel, control = Channel(os.dup(0), os.dup(1)), os.dup(2)
    channel.gone = functools.partial(leave, *sys.argv[2:])
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    setup = channel.receive()
    sys.path += setup["path"]
    sys.meta_path.insert(0, OnlyTools(setup["course"]))
    import numpy  # noqa: F401  (before the limits, once for all exercises)

    if setup["shut"]:
        shut()
    os.dup2(nothing, 2)  # until here it tells the parent what keeps Python from starting
    limit_memory(setup["memory"])  # to read a stranger's notebook takes memory, too
    try:
        learners = notebook.Notebook(notebook.sources(channel.receive_bytes()))
    except notebook.NoNotebook as error:
        channel.send({"broken": f"it is no whole notebook: {error}" if error.is_broken else str(error)})
        return
    there = [name for name in setup["names"] if name in learners.binders or _broken(learners, name)]
    channel.send({"names": {name: learners.text(name)[:TEXT] for name in there}})
    pristine = bell = ring = None
    if hasattr(os, "fork"):
        bell, ring = os.pipe()
        os.set_blocking(ring, False)
    while True:
        request = channel.receive()
        if request["do"] == "step":
            channel.send(request)
            continue
        if request["do"] == "end":  # an exercise that was over already has not read it
            continue
        if request["do"] == "lesson":
            pristine = notebook.Notebook(request["sources"])
            channel.send({"course": needing_course(learners, pristine, request["names"])})
            continue
        if not hasattr(os, "fork"):
            _one(channel, request, setup, learners, pristine)
            os._exit(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ring)
        process = os.fork()
        if process == 0:
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (control, bell, ring):  # so that no exercise says how another one ended
                    os.close(descriptor)
                channel.gone = lambda: os._exit(0)
                _one(channel, request, setup, learners, pristine)
            finally:
                os._exit(0)
        status = watched(process, channel.source, bell)
        if status is None:
            channel.gone()
        if os.getpid() == 1:  # else it would end all that the user runs
            end_the_others()
        os.write(control, f"{setup['word']} {status}\n".encode())


def needing_course(learners, pristine, names):
    """Return the names of the exercises whose answers lean on modules of the course."""
    needing = []
    for name in names:
        with contextlib.suppress(SyntaxError):
            if place := learners.answer(name):
                leant_on = notebook.helpers(name, learners, pristine, names)
                if any(map(notebook.imports_course, [*leant_on, *learners.cells[place[0]]])):
                    needing.append(name)
    return needing


def _broken(learners, name):
    try:
        return learners.answer(name) is not None
    except SyntaxError:
        return True


def _one(channel, request, setup, learners, pristine):
    name = request["name"]
    try:
        place = learners.answer(name)
    except SyntaxError as error:
        channel.send({"error": tell(error) | {"line": error.lineno, "code": error.text or ""}})
        channel.receive()
        return
    if place is None:
        channel.send({"missing": name})
        channel.receive()
        return
    extra = notebook.helpers(name, learners, pristine, request["names"])
    limit(setup["memory"], setup["seconds"])
    os.chdir(setup["private"])
    statements, source = learners.cells[place[0]], learners.sources[place[0]]
    serve_exercise(channel, name, statements, extra, setup["seconds"], source)


if __name__ == "__main__":
    main()
