"""What stands between a learner's code and this machine: nothing, or the namespaces of Linux.

Walls are a function of the box's new folder, of the course without answers (its folder, or None) and of more
folders that the code must not see. It says how Python is started in there. A container engine would be one
more such function.
"""

import os
import shutil
import sys
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import numpy as np

from optim_lessons.course.sandbox import child
from optim_lessons.lab.shipped import source_tree

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = ("unshare", "setpriv", "chroot", "mount")
_NOBODIES = range(61184, 65520)  # users that no system gives a name
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "nix")
_PACKAGE = Path(child.__file__).resolve().parents[2]
# Of an environment the one that it was made from: the environment may hold a link to it, or a copy.
_PYTHON = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


class Inside(NamedTuple):
    """How Python is started, and the paths that it finds: its own folder, then where modules are."""

    command: list
    private: str
    modules: list


def trusted(folder, course, _):
    """Return how Python starts as this user, who can do everything: for code that can be trusted."""
    command = [str(_PYTHON), "-I", "-S", "-B", child.__file__]
    return Inside(command, folder, [*([course] if course else []), *map(str, libraries())])


def namespaces(folder, course, hidden):
    """Return how Python starts with a file system of its own, and without network and rights.

    In its file system are, read-only, the system's programs and the libraries, and nothing with answers.
    """
    command = ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"]
    command += [] if os.geteuid() == 0 else ["--map-root-user"]
    command += ["sh", "-c", _script(course, hidden), "sh", folder]
    return Inside(command, "/box", [*(["/course"] if course else []), *map(str, libraries())])


def libraries():
    """Return the folders that NumPy and what else an answer may use are imported from.

    They may lie anywhere: in the clone, outside, or in several places.
    """
    places = [Path(p) for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    places = [place.resolve() for place in (*places, Path(np.__file__).parents[1])]
    return [place for place in dict.fromkeys(places) if place.is_dir()]


def _answers():
    """Return the folders that hold answers: this course, its clone, and others that are installed."""
    bases = dict.fromkeys(Path(p) for p in (sys.prefix, sys.base_prefix, "/usr", "/usr/local"))
    others = [copy for base in bases for copy in base.glob(f"lib*/python3*/*-packages/{child.COURSE}")]
    tree = source_tree()
    return [_PACKAGE, *others, *(place / child.COURSE for place in libraries()), *([tree] if tree else [])]


def _script(course, hidden):
    """Return the shell commands that make the file system in the folder $1 and start Python in it."""
    shown = [Path("/", name) for name in _SYSTEM if Path("/", name).exists()]
    shown += [Path(sys.base_prefix).resolve(), *libraries()]
    hidden = {Path(p).resolve() for p in (*_answers(), *hidden)}
    hidden = [p for p in hidden if p.is_dir() and any(p.is_relative_to(s) for s in shown)]
    lines = [
        "set -e",
        "umask 022",
        'mount -t tmpfs -o mode=755,size=16m box "$1"',
        'cd "$1"',
        "mkdir box dev",
    ]
    # From the outside in: libraries may lie in a clone that is hidden, with a course in them that is, too.
    steps = [(p, False) for p in dict.fromkeys(shown)] + [(p, True) for p in hidden]
    for place, hide in sorted(steps, key=lambda step: (len(step[0].parts), step[1])):
        inside = quote(f".{place}")
        if hide:
            lines += [f"mkdir -p {inside}", f"mount -t tmpfs -o mode=755,size=1m hidden {inside}"]
        elif place.is_symlink():
            lines.append(f"ln -s {quote(os.readlink(place))} {inside}")
        else:
            lines += [f"mkdir -p {inside}", f"mount -o bind,ro,nosuid,nodev {quote(str(place))} {inside}"]
    lines += [f"mount -o remount,bind,ro {quote(f'.{place}')}" for place in hidden]
    if course:
        lines += ["mkdir course", f"mount -o bind,ro,nosuid,nodev {quote(course)} course"]
    lines += [
        f"cp {quote(child.__file__)} child.py",
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
    powerless = f"setpriv --no-new-privs --bounding-set=-all --inh-caps=-all {nobody}"
    return "\n".join([*lines, f"exec chroot . {powerless} {quote(str(_PYTHON))} -I -S -B /child.py"])


def lacking():
    """Return what this system lacks for namespaces at first sight, or an empty text."""
    if sys.platform != "linux":
        return "it is not Linux"
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=PATH)]
    return f"it has no program {missing[0]!r}" if missing else ""
