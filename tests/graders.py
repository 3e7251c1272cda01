"""How this machine can grade: with isolation, or only the code that is trusted; and how to wait for it."""

import time

from optim_lessons.course.sandbox.box import why_not_isolated
from optim_lessons.course.sandbox.walls import namespaces, trusted

ISOLATES = not why_not_isolated()
WALLS = namespaces if ISOLATES else trusted
GRADE = ["grade"] if ISOLATES else ["grade", "--trusted"]


def until(true, seconds):
    """Wait until true() is, at most so many seconds; return what it said last.

    It is not asked again: of processes that come and go, Linux may leave one out of what it tells.
    """
    deadline = time.monotonic() + seconds
    while not (said := true()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return said
