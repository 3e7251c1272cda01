"""One process at a time in a folder: a lock that the system takes back, however the process ends."""

import contextlib
import os
from pathlib import Path

from optim_lessons.course.refused import Refused


@contextlib.contextmanager
def alone(path, refusal):
    """Hold the lock in a file, which notes this process's id; yield the open file.

    Raises Refused with the refusal, its {} filled with the other's id, where another process holds it.
    """
    with open(path, "a+b") as file:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            holder = Path(f"{path}.pid")
            noted = holder.read_text().strip() if holder.exists() else "unknown"
            raise Refused(refusal.format(noted)) from None
        # Beside it, for where a locked file cannot be read.
        Path(f"{path}.pid").write_text(f"{os.getpid()}\n")
        yield file


def _lock(file):
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
