"""The parent's side of the process that runs a learner's code: starts it, limits it, asks it, ends it.

On Linux the process gets a file system of its own (Python, NumPy, an empty folder), no network and no rights,
through `unshare`. Elsewhere a guard inside Python refuses files, processes and the network.
"""

import builtins
import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from optim_lessons.course.sandbox import child
from optim_lessons.course.sandbox.child import FRAME_BYTES, TEXT, decode, encode
from optim_lessons.course.sandbox.watchdog import Stopped
from optim_lessons.lab.shipped import shipped, source_tree

START_SECONDS = 60  # a busy machine may take long to start Python
SECONDS = 10.0
MEMORY = 1 << 30
PATIENCE = 3  # seconds of the clock for each of the processor's: a busy machine, or code that sleeps
CALLS = 10_000  # that a learner's code may ask of a function it was given
PROCESSES = 11  # three of them are ours: for one exercise, eight are enough
_LOOK = 0.2  # seconds
_NOBODIES = range(61184, 65520)  # users that no system gives a name
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "nix")
_PACKAGE = Path(child.__file__).resolve().parents[2]


@dataclass(frozen=True)
class Limits:
    """What one exercise's code may use.

    seconds: of the processor.  memory: bytes.  hidden: folders it must not see, besides the course.
    """

    seconds: float = SECONDS
    memory: int = MEMORY
    hidden: tuple = ()


class Ended(Exception):
    """The process with the learner's code is not there any more; the message says how it ended."""


class NotStarted(Exception):
    """The process could not be started, or could not read the notebook."""


@contextlib.contextmanager
def course_without_answers():
    """Make a copy of the course without its exercises, for answers that compute with it; yield its folder."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        package = Path(folder, child.COURSE)
        kept_out = shutil.ignore_patterns("exercises", "teaching", "notebooks", "__pycache__")
        shutil.copytree(_PACKAGE, package, ignore=kept_out)
        for path in shipped("assets").glob("*.np*"):
            (package / "assets").mkdir(exist_ok=True)
            shutil.copy(path, package / "assets")
        yield folder


def _places():
    """Return the folders that Python and NumPy need, and the one that NumPy is imported from."""
    site = Path(np.__file__).resolve().parent.parent
    return [Path(sys.base_prefix).resolve(), site], site


def _script(limits, course):
    """Return the shell commands that make a file system of a few read-only folders, and go into it."""
    folders, _ = _places()
    system = [Path("/", name) for name in _SYSTEM if Path("/", name).exists()]
    folders = [d for d in folders if not any(d.is_relative_to(s) for s in system)] + system
    lines = ["set -e", 'mount -t tmpfs -o mode=755,size=16m box "$1"', 'cd "$1"', "mkdir box dev"]
    for folder in folders:
        inside = _quoted("." + str(folder))
        if folder.is_symlink():
            lines.append(f"ln -s {_quoted(os.readlink(folder))} {inside}")
        else:
            lines += [f"mkdir -p {inside}", f"mount -o bind,ro,nosuid,nodev {_quoted(folder)} {inside}"]
    if course:
        lines += ["mkdir course", f"mount -o bind,ro,nosuid,nodev {_quoted(course)} course"]
    for folder in _hidden(limits):
        if any(folder.is_relative_to(f) for f in folders) and folder.is_dir():
            lines.append(f"mount -t tmpfs -o mode=755,ro hidden {_quoted('.' + str(folder))}")
    lines += [
        f"cp {_quoted(child.__file__)} child.py",
        "chmod 644 child.py",
        "touch dev/null",
        "mount --bind /dev/null dev/null",
        "mount -t tmpfs -o mode=1777,size=32m,nr_inodes=10k box box",
        # System V's shared memory would stay when a process that was ended for its size has gone.
        "(echo 4096 > /proc/sys/kernel/shmall) 2> /dev/null || true",
        'mount -o remount,bind,ro "$1"',
    ]
    # Each worker's own: processes are counted by user, and nobody shall use up another one's share.
    nobody = _NOBODIES[os.getpid() % len(_NOBODIES)]
    nobody = f"--reuid={nobody} --regid={nobody} --clear-groups" if os.geteuid() == 0 else ""
    python = _quoted(os.path.realpath(sys.executable))
    powerless = f"setpriv --no-new-privs --bounding-set=-all --inh-caps=-all {nobody}"
    return "\n".join([*lines, f"exec chroot . {powerless} {python} -I -S -B /child.py"])


def _quoted(path):
    return "'" + str(path).replace("'", "'\\''") + "'"


def _hidden(limits):
    tree = source_tree()
    bases = dict.fromkeys(Path(p) for p in (sys.prefix, sys.base_prefix, "/usr", "/usr/local"))
    others = [copy for base in bases for copy in base.glob(f"lib*/python3*/*-packages/{child.COURSE}")]
    return [Path(p).resolve() for p in (_PACKAGE, *others, *((tree,) if tree else ()), *limits.hidden)]


@cache
def isolation():
    """Return whether this system can give a process a file system and a network of its own."""
    needed = ("unshare", "setpriv", "chroot", "mount")
    if sys.platform != "linux" or not all(shutil.which(tool, path=_PATH) for tool in needed):
        return False
    try:
        with Box(b'{"cells": []}', [], Limits(), isolate=True):
            return True
    except NotStarted:
        return False


_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Box:
    """One submission's process. It is started again after an exercise that had to be ended.

    data: the notebook's bytes.  names: of the exercises that may be in it; `found` are those that are.
    course: the folder of a course without answers, or None.  isolate: as the system can, if None.
    """

    def __init__(self, data, names, limits, *, course=None, isolate=None):
        self._data, self._names, self.limits, self._course = data, list(names), limits, course
        self.isolated = isolation() if isolate is None else isolate
        self._lesson = self._process = self._folder = self._control = None
        self.found = []

    def __enter__(self):
        """Start the process."""
        self._start()
        return self

    def __exit__(self, *_):
        """End it."""
        self.kill()

    def _start(self):
        self._folder = tempfile.mkdtemp(prefix="box-")
        private = "/box" if self.isolated else self._folder
        folders, site = _places()
        path = [str(site)]
        if self._course:
            path.insert(0, "/course" if self.isolated else self._course)
        if self.isolated:
            command = ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"]
            command += [] if os.geteuid() == 0 else ["--map-root-user"]
            command += ["sh", "-c", _script(self.limits, self._course), "sh", self._folder]
            guard = None
        else:
            command = [os.path.realpath(sys.executable), "-I", "-S", "-B", child.__file__]
            readable = [*map(str, folders), *([self._course] if self._course else [])]
            hidden = [str(p) for p in _hidden(self.limits)]
            guard = {"readable": readable, "hidden": hidden, "course": bool(self._course), "private": private}
        own = {
            "PATH": _PATH,
            "HOME": private,
            "TMPDIR": private,
            "MPLCONFIGDIR": private,
            "MPLBACKEND": "Agg",
        }
        own |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        own |= {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
        # What an exercise's process cannot write to: in it stands how that process ended.
        self._control, control = (None, None) if os.name == "nt" else os.pipe()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=own,
            bufsize=0,
            start_new_session=True,
            pass_fds=[] if control is None else [control],
        )
        if control is not None:
            os.close(control)
            for pipe in (self._process.stdin, self._process.stdout):
                os.set_blocking(pipe.fileno(), False)
        self.left = START_SECONDS
        setup = {"path": path, "names": self._names, "guard": guard, "private": private, "control": control}
        setup |= {"memory": self.limits.memory, "seconds": self.limits.seconds}
        try:
            self._send(setup)
            self._send_bytes(self._data)
            answer = self._receive()
            if "names" in answer:
                self.found = [name for name in self._names if name in answer["names"]]
                if self._lesson:
                    self._send(self._lesson)
                    self._receive()
        except (Ended, Stopped) as error:
            self.kill()
            raise NotStarted(f"the process for it did not start: {error}") from None
        if "broken" in answer:
            self.kill()
            raise NotStarted(str(answer["broken"])[:300])

    def lesson(self, sources, names):
        """Tell which lesson it is: its pristine cells, its exercises' names. Return who needs the course."""
        self._lesson = {"do": "lesson", "sources": sources, "names": list(names)}
        self.left = START_SECONDS
        try:
            self._send(self._lesson)
            needing = self._receive()["course"]
        except (Ended, Stopped) as error:
            self.kill()
            raise NotStarted(f"its cells could not be read: {error}") from None
        return [name for name in names if name in needing]

    def kill(self):
        """End everything that runs in it, now."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.name == "nt":
                    self._process.kill()
                else:
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
            if self._control is not None:
                os.close(self._control)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._process = self._folder = self._control = None

    @property
    def ended(self):
        """Whether its process is not there."""
        return self._process is None

    # One exercise

    @contextlib.contextmanager
    def exercise(self, name):
        """Run the cell of one exercise; yield what the child says of it: a dict with value, error or missing.

        Inside the block `call` calls the learner's function. Raises Ended, or Stopped when the time is over.
        """
        if self._process is None:
            self._start()
        self.left, self._calls = PATIENCE * self.limits.seconds + 3, 0
        try:
            self._send({"do": "run", "name": name, "names": self._lesson["names"]})
            yield self._receive()
        except BaseException:
            self.kill()
            raise
        self._end()

    def _end(self):
        """End the exercise; keep the process for the next one only if it is in step and silent."""
        self.left = 2.0
        with contextlib.suppress(Ended, Stopped):
            if self._control is not None:
                self._send({"do": "end"})
                self._wait([self._control], [])
                if self._status() == 0:
                    self._send({"do": "step"})
                    self._wait([self._control], [])
                    if self._status() == 0 and not select.select([self._process.stdout], [], [], 0)[0]:
                        return
        self.kill()

    def call(self, args, kwargs):
        """Call the learner's function with plain values and return a plain value.

        A function among the arguments stays here: the child asks for its values.
        """
        functions = []

        def sent(x):
            if not callable(x):
                return encode(x)
            functions.append(x)
            return {"is": "callback", "index": len(functions) - 1}

        request = {"args": [sent(x) for x in args], "kwargs": {key: sent(x) for key, x in kwargs.items()}}
        try:
            self._send({"do": "call"} | request)
            while "callback" in (answer := self._receive()):
                self._calls += 1
                if self._calls > CALLS:
                    raise Ended(f"asked more than {CALLS:,} times for values of a function that it was given")
                begun = time.monotonic()
                said = _called(functions, answer)
                self.left -= time.monotonic() - begun
                self._send(said)
        except BaseException:  # stopped in the middle, it would answer the next call with this one's answer
            self.kill()
            raise
        if "error" in answer:
            raise rebuilt(answer["error"], self.limits.seconds)
        return _plain(answer.get("value"))

    def _status(self):
        """Return how the exercise's process ended: its exit status, or a signal below 0."""
        said = os.read(self._control, 4)
        if len(said) < 4:
            self._gone()
        return int.from_bytes(said, "big", signed=True)

    def _over(self):
        code = self._status()
        self.kill()
        if code == -getattr(signal, "SIGXCPU", 0):
            raise stopped(self.limits.seconds)
        raise Ended(
            f"ended Python itself, {f'by signal {-code}' if code < 0 else f'with exit status {code}'}"
        )

    # Frames

    def _send(self, content):
        self._send_bytes(json.dumps(content).encode())

    def _send_bytes(self, data):
        data = len(data).to_bytes(4, "big") + data
        if self._process is None:
            raise Ended("ended Python itself")
        pipe = self._process.stdin.fileno()
        with self._killer():
            while data:
                self._wait([], [pipe])
                try:
                    data = data[os.write(pipe, data[:65536]) :]
                except BlockingIOError:
                    continue
                except OSError:
                    self._gone()

    def _receive(self):
        if self._process is None:
            raise Ended("ended Python itself")
        with self._killer():
            size = int.from_bytes(self._read(4), "big")
            if size > FRAME_BYTES:
                self.kill()
                raise Ended("sent more than an answer can be")
            data = self._read(size)
        try:
            content = json.loads(data)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            self.kill()
            raise Ended("wrote into what the grader reads")
        return content

    def _read(self, size):
        pipe, pieces = self._process.stdout.fileno(), bytearray()
        while len(pieces) < size:
            if pipe not in self._wait([pipe, self._control], []):
                self._over()
            try:
                piece = os.read(pipe, min(size - len(pieces), 65536))
            except BlockingIOError:
                continue
            except OSError:
                piece = b""
            if not piece:
                self._gone()
            pieces += piece
        return bytes(pieces)

    def _wait(self, readable, writable):
        """Return the pipes that are ready, once one is; raise Stopped when the learner's time is over."""
        if os.name == "nt":  # there pipes cannot be waited for: the killer's timer ends the wait
            return readable + writable
        while True:
            begun = time.monotonic()
            ready = select.select(readable, writable, [], max(min(self.left, _LOOK), 0))
            self.left -= time.monotonic() - begun
            if any(ready):
                return ready[0] + ready[1]
            if self.left <= 0:
                self.kill()
                raise stopped(self.limits.seconds)
            self._look_after_the_others()

    def _look_after_the_others(self):
        """End what shares its work, or its memory, out among many processes: the limits are for each."""
        if not self.isolated:
            return  # there the guard refuses new processes
        family = list(_family(self._process.pid))
        if len(family) > PROCESSES:
            self.kill()
            raise Ended(f"started more than {PROCESSES - 3} processes")
        if sum(map(_resident, family)) > 2 * self.limits.memory:
            self.kill()
            raise Ended(f"used more than {2 * self.limits.memory >> 20:,} MB in several processes")

    @contextlib.contextmanager
    def _killer(self):
        if os.name != "nt":
            yield
            return
        timer, begun = threading.Timer(max(self.left, 0), self._process.kill), time.monotonic()
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self.left -= time.monotonic() - begun

    def _gone(self):
        over = os.name == "nt" and self.left <= 0
        self.kill()
        raise stopped(self.limits.seconds) if over else Ended("ended Python itself")


def _family(process):
    """Yield the ids of a process and of all that it has started, and they."""
    yield process
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child_id in task.read_text().split():
                yield from _family(int(child_id))


def _resident(process):
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, LookupError):  # it has just ended
        return 0


def stopped(seconds):
    """Return the exception for code whose time is over."""
    error = Stopped(f"it took more than {seconds:g} s")
    error.seconds = seconds
    return error


def rebuilt(told, seconds):
    """Return an exception like the one that a child has told of, made of plain text."""
    told = told if isinstance(told, dict) else {}
    if told.get("type") == "Stopped":
        error = stopped(seconds)
    else:
        base = getattr(builtins, str(told.get("kind")), Exception)
        base = base if isinstance(base, type) and issubclass(base, BaseException) else Exception
        name, text = re.sub(r"\W", "_", str(told.get("type")))[:60], str(told.get("text"))[:TEXT]
        with contextlib.suppress(TypeError):  # such as UnicodeDecodeError, which wants five arguments
            base("x")
        try:
            error = (base if base.__name__ == name else type(name, (base,), {}))(text)
        except TypeError:
            error = type(name, (Exception,), {})(text)
    line, code = told.get("line"), told.get("code")
    error.learners_line = (line, str(code or "")[:TEXT]) if isinstance(line, int) else None
    return error


def _plain(content):
    try:
        return decode(content, lambda unknown: _sample(unknown.get("is")))
    except Exception:  # of whatever kind: it is made of a stranger's bytes
        raise Ended("sent what is no plain value") from None


def _sample(kind):
    """Return a value of a kind that cannot be sent, made here."""

    async def coroutine():
        pass

    if kind == "coroutine":
        return coroutine()
    return (x for x in ()) if kind in ("generator", "asyncgen") else object()


def _called(functions, answer):
    try:
        arguments = [_plain(x) for x in answer["args"]]
        with np.errstate(all="ignore"):
            return {"value": encode(functions[answer["callback"]](*arguments))}
    except Ended:
        raise
    except Exception as error:  # what the function was asked for makes no sense, such as too few weights
        return {"error": f"{type(error).__name__}: {error}"[:300]}
