"""Run a learner's code with a time limit, without warnings, and with a limit on what it prints."""

import contextlib
import ctypes
import sys
import threading
import warnings

import numpy as np

SECONDS = 5.0
LINES = 20  # printed lines that pass
_AGAIN = 0.002  # seconds between two attempts to stop code that catches every exception


class Stopped(BaseException):
    """The time is over. A BaseException, so that `except Exception` does not swallow it."""


class _Last(Stopped):
    """Takes the place of a `Stopped` that is still on its way; after it, none comes."""


def guarded(call, seconds=SECONDS):
    """Run call() and return its result and what it raised; one of them is None.

    After some seconds `Stopped` is raised inside the call, again and again until it ends. This works in any
    thread and on any system. It has to wait for a single long operation (such as time.sleep) to return, and
    it cannot end a loop that catches every exception around such a wait.
    """
    thread, lock, over = threading.get_ident(), threading.Lock(), threading.Event()

    fired = False

    def watch():
        nonlocal fired
        if over.wait(seconds):
            return
        while not over.is_set():
            with lock:
                if not over.is_set():
                    fired = True
                    _raise_in(thread, Stopped)
            over.wait(_AGAIN)

    def disarm():
        while True:  # the watch may fire until the lock is taken; afterwards nothing may be left pending
            try:
                with lock:
                    over.set()
                if fired:
                    # Clearing it instead would leave Python 3.11 hanging in the next debugger or tracer.
                    _raise_in(thread, _Last)
                    while True:
                        pass
                return
            except _Last:
                return
            except Stopped:
                continue

    result = error = None
    try:
        with quiet(), _few_lines():
            try:
                # A browser's Python has no threads: there the call runs without a limit.
                with contextlib.suppress(RuntimeError):
                    threading.Thread(target=watch, daemon=True).start()
                result = call()
            finally:
                disarm()  # before the streams are put back, which must not be interrupted
    except BaseException as raised:  # also SystemExit and KeyboardInterrupt
        error = raised
    disarm()
    return (result, None) if error is None else (None, error)


def _raise_in(thread, kind):
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))


@contextlib.contextmanager
def quiet():
    """Show no warnings, NumPy's included."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _few_lines():
    out = _FirstLines(sys.stdout)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        yield


class _FirstLines:
    """A stream that passes the first lines on and drops the rest, saying so once."""

    def __init__(self, stream):
        self._stream, self._left = stream, LINES

    def write(self, text):
        if self._left > 0:
            lines = text.splitlines(keepends=True)
            self._stream.write("".join(lines[: self._left])[:10_000])
            self._left -= text.count("\n")
            if self._left <= 0:
                self._stream.write(f"(printed by your code; only the first {LINES} lines are shown)\n")
        return len(text)

    def __getattr__(self, name):
        return getattr(self._stream, name)
