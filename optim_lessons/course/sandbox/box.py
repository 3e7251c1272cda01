"""The parent's side of the process that runs a learner's code: starts it, limits it, asks it, ends it.

Its limits are the same everywhere. What keeps it from the rest of the machine are its walls (walls.py), if
any: `check` runs a learner's own code on the learner's machine, `grade` runs strangers' code.
"""

import builtins
import contextlib
import json
import os
import re
import secrets
import select
import shutil
import signal
import subprocess
import threading
import time
import weakref
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from optim_lessons.course.sandbox.child import FRAME_BYTES, PARTS, TEXT, decode, encode
from optim_lessons.course.sandbox.walls import PATH, lacking, namespaces, trusted
from optim_lessons.course.sandbox.watchdog import Stopped

START_SECONDS = 60  # a busy machine may take long to start Python
SECONDS = 10.0
MEMORY = 1 << 30
PATIENCE = 3  # seconds of the clock for each of the processor's: a busy machine, or code that sleeps
CALLS = 10_000  # that a learner's code may ask of a function it was given
PROCESSES = 8  # that one exercise may start
LOAD = 10  # times as long: so long what is there may take on a machine that is busy with something else
_LOOK = 0.2  # seconds
OPEN = weakref.WeakSet()  # the boxes whose processes run, for Windows, where they do not end by themselves


@dataclass(frozen=True)
class Limits:
    """What one exercise's code may use.

    seconds: of the processor.  memory: bytes.  hidden: folders, besides the course, that walls keep it from.
    """

    seconds: float = SECONDS
    memory: int = MEMORY
    hidden: tuple = ()


class Ended(Exception):
    """The process with the learner's code is not there any more; the message says how it ended."""


class NotStarted(Exception):
    """The process could not be started, or could not read the notebook."""


@cache
def why_not_isolated():
    """Return why this system cannot give a process a file system and a network of its own; "" if it can."""
    if reason := lacking():
        return reason
    try:
        with Box(b'{"cells": []}', [], Limits(), walls=namespaces):
            return ""
    except NotStarted as error:
        return str(error)


class Box:
    """One submission's process. It is started again after an exercise that had to be ended.

    data: the notebook's bytes.  names: of the exercises that may be in it; `found` are those that are, and
    `answers` says what the notebook's text gives for them.
    course: whether the course, without its answers, can be imported.  walls: what keeps it in (walls.py).
    """

    def __init__(self, data, names, limits, *, course=False, walls=trusted):
        self._data, self._names, self.limits, self._course = data, list(names), limits, course
        self._walls, self._word = walls, secrets.token_hex(8)
        self._lesson = self._process = self._inside = None
        self._said, self._ours, self.found, self.answers = b"", 0, [], {}

    def __enter__(self):
        """Start the process."""
        self._start()
        return self

    def __exit__(self, *_):
        """End it."""
        self.kill()

    def _start(self):
        self._inside = inside = self._walls(self._course, self.limits)
        own = dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR"), inside.private)
        own |= {"PATH": PATH, "MPLBACKEND": "Agg"}
        own |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        own |= {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
        self._process = subprocess.Popen(
            inside.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The words of a start that fails; then how each exercise ended, for which it cannot write here.
            stderr=subprocess.PIPE,
            # An engine's own program is the user's; what it starts has the variables of its image.
            env=inside.environment if inside.end else own | inside.environment,
            bufsize=0,
            start_new_session=True,
        )
        OPEN.add(self)
        if os.name != "nt":
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                os.set_blocking(pipe.fileno(), False)
        self._begin(START_SECONDS)
        setup = {"path": inside.modules, "private": inside.private, "course": inside.course}
        setup |= {"memory": self.limits.memory, "seconds": self.limits.seconds, "shut": inside.shut}
        setup |= {"names": self._names, "word": self._word}
        try:
            self._send(setup)
            self._send_bytes(self._data)
            answer = self._receive()
            if "names" in answer:
                told = answer["names"]
                self.found = [name for name in self._names if name in told]
                self.answers = {name: str(told[name])[:TEXT] for name in self.found}
                if self._lesson:
                    self._send(self._lesson)
                    self._receive()
        except (Ended, Stopped) as error:
            self.kill()
            raise NotStarted(f"the process for it did not start: {error}") from None
        if "broken" in answer:
            self.kill()
            raise NotStarted(str(answer["broken"])[:300])
        self._ours = len(list(_family(self._process.pid)))

    def _begin(self, seconds):
        """Give the process some seconds of the clock, and those in which it waits for the processor."""
        self.left, self._grace = seconds, LOAD * seconds
        self._looked, self._waits = time.monotonic(), _waits(_family(self._process.pid))

    def lesson(self, sources, names):
        """Tell which lesson it is: its pristine cells, its exercises' names. Return who needs the course."""
        self._lesson = {"do": "lesson", "sources": sources, "names": list(names)}
        self._begin(START_SECONDS)
        try:
            self._send(self._lesson)
            needing = self._receive()["course"]
        except (Ended, Stopped) as error:
            self.kill()
            raise NotStarted(f"its cells could not be read: {error}") from None
        return [name for name in names if name in needing]

    def kill(self):
        """End everything that runs in it, now. Return the last words about a start that failed."""
        OPEN.discard(self)
        said, self._said = self._said, b""
        process, inside, self._process, self._inside = self._process, self._inside, None, None
        if process is not None:
            if inside.end:  # it ends by itself when its input does, whatever runs in it
                with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                    process.stdin.close()
                    process.wait(5)
                if process.poll() is None:
                    subprocess.run(inside.end, capture_output=True, check=False, stdin=subprocess.DEVNULL)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.name == "nt":
                    process.kill()
                else:
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            said += process.stderr.read(10_000) or b""
            for pipe in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(OSError):
                    pipe.close()
        if inside and inside.taken_away:
            shutil.rmtree(inside.taken_away, ignore_errors=True)
        return said.decode(errors="replace").strip().rpartition("\n")[2]

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
        self._calls = 0
        self._begin(PATIENCE * self.limits.seconds + 3)
        try:
            self._send({"do": "run", "name": name, "names": self._lesson["names"]})
            yield self._receive()
        except BaseException:
            self.kill()
            raise
        self._end()

    def _end(self):
        """End the exercise; keep the process for the next one only if it is in step, silent and alone."""
        self._begin(2.0)
        with contextlib.suppress(Ended, Stopped):
            if os.name != "nt":
                self._send({"do": "end"})
                while (status := self._status()) is None:
                    self._wait([self._process.stderr.fileno()], [])
                if status == 0:
                    step = {"do": "step", "word": secrets.token_hex(8)}
                    self._send(step)
                    # Were it from the exercise, whatever lies there already, it would not know the word.
                    if self._receive() == step and len(list(_family(self._process.pid))) <= self._ours:
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
        """Return how the exercise's process ended: its exit status, or a signal below 0; None: it has not."""
        try:
            piece = os.read(self._process.stderr.fileno(), 65536)
        except BlockingIOError:
            return None
        if not piece:
            self._gone()
        told = re.search(rf"{self._word} (-?\d+)\n".encode(), self._said + piece)
        self._said = b"" if told else (self._said + piece)[-10_000:]
        return int(told[1]) if told else None

    def _over(self, code):
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
        if data.count(b"{") + data.count(b"[") > 4 * PARTS:  # each takes many times its bytes to read
            self.kill()
            raise Ended("sent more than an answer can be")
        try:
            content = json.loads(data)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            self.kill()
            raise Ended("wrote into what the grader reads")
        return content

    def _read(self, size):
        answers, errors, pieces = self._process.stdout.fileno(), self._process.stderr.fileno(), bytearray()
        while len(pieces) < size:
            if answers not in self._wait([answers, errors], []):
                if (status := self._status()) is not None:
                    self._over(status)
                continue
            try:
                piece = os.read(answers, min(size - len(pieces), 65536))
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
            now = time.monotonic()
            self.left -= now - begun
            if now > self._looked + _LOOK or self.left <= 0:  # also when it talks without a pause
                self._look_after_the_family(now)
            if any(ready):
                return ready[0] + ready[1]
            if self.left <= 0:
                self.kill()
                raise stopped(self.limits.seconds)

    def _look_after_the_family(self, now):
        """End what shares its work, or its memory, out among many processes: the limits are for each.

        Give back the time in which all of it was ready to run and the processor was others'.
        """
        family = list(_family(self._process.pid))
        waits = _waits(family)
        waited = max((waits[task] - self._waits.get(task, 0) for task in waits), default=0)
        waited = min(waited, now - self._looked, self._grace)
        self.left, self._grace = self.left + waited, self._grace - waited
        self._looked, self._waits = now, waits
        if len(family) > self._ours + 1 + PROCESSES:
            self.kill()
            raise Ended(f"started more than {PROCESSES} processes")
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
        said = self.kill()
        raise stopped(self.limits.seconds) if over else Ended(said or "ended Python itself")


def _family(process):
    """Yield the ids of a process and of all that it has started, and they. Only Linux tells of those."""
    yield process
    for children in _of_tasks(process, "children").values():
        for child_id in children.split():
            yield from _family(int(child_id))


def _waits(family):
    """Return, of each task, how long it was ready to run while others were. Only Linux tells."""
    waits = {}
    for process in family:
        for task, said in _of_tasks(process, "schedstat").items():
            with contextlib.suppress(LookupError, ValueError):
                waits[task] = int(said.split()[1]) / 1e9
    return waits


def _of_tasks(process, name):
    """Return what one of its files says of each task of a process. Any of them may end meanwhile."""
    told = {}
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{process}/task"):
            with contextlib.suppress(OSError):
                told[process, task] = Path(f"/proc/{process}/task/{task}/{name}").read_text(encoding="ascii")
    return told


def _resident(process):
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
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
