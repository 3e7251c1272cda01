"""What stands between a learner's code and this machine: nothing, the namespaces of Linux, or a container.

Walls are a function of whether the course (without answers) is to be there, and of the limits. It says how
Python is started in there, and what has to be ended or taken away when it is over.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import numpy as np

from optim_lessons.course import notebook
from optim_lessons.course.sandbox import child
from optim_lessons.lab.shipped import shipped, source_tree

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = ("unshare", "setpriv", "chroot", "mount")
_NOBODIES = range(61184, 65520)  # users that no system gives a name
_LIBRARIES = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec")
# Of the system what a program needs to run: not /usr/share or /usr/src, where a course might lie, too.
_SYSTEM = (*_LIBRARIES, *(f"usr/{name}" for name in _LIBRARIES), "nix", "etc/alternatives")
_PACKAGE = Path(child.__file__).resolve().parents[2]
# Of an environment the one that it was made from: the environment may hold a link to it, or a copy.
_PYTHON = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


class Inside(NamedTuple):
    """How Python is started, and what it finds: its own folder, and where modules are.

    course: the folder that the course is imported from, or None.  shut: whether the kernel's calls that reach
    out of the box are refused.  taken_away: a folder, when it is over.  end: a command that ends it.
    """

    command: list
    private: str
    modules: list
    course: str | None
    shut: bool = False
    environment: dict = {}  # noqa: RUF012  (nobody changes it)
    taken_away: str | None = None
    end: list | None = None


def trusted(course, limits):
    """Return how Python starts as this user, who can do everything: for code that can be trusted."""
    folder = tempfile.mkdtemp(prefix="box-")
    reader = str(Path(notebook.__file__).parent)
    command = [str(_PYTHON), "-I", "-S", "-B", child.__file__, reader, folder]  # its own to take away
    modules = [str(place) for place in libraries()]
    return Inside(command, folder, modules, str(_PACKAGE.parent) if course else None, taken_away=folder)


def namespaces(course, limits):
    """Return how Python starts with a file system of its own, and without network and rights.

    In its file system are, read-only, the system's programs and the libraries, and nothing with answers. It
    is made in memory, over a folder that is seen like that in there only: nothing of it can be left.
    """
    command, environment = _with_memory_counted(2 * limits.memory)
    command = [*command, "unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"]
    command += [] if os.geteuid() == 0 else ["--map-root-user"]
    command += ["sh", "-c", _script(course, limits.hidden, environment)]
    modules = [str(place) for place in libraries()]
    return Inside(command, "/box", modules, "/course" if course else None, True, environment)


# Containers

ENGINES = ("podman", "docker")
IMAGE = "optim-lessons-box"
WITHOUT, WITH = 61184, 61185  # groups: who is in the second one can read the course


def container(engine, course, limits):
    """Return how Python starts in a container of the image that `image_files` makes."""
    name = f"{IMAGE}-{secrets.token_hex(8)}"
    group, user = WITH if course else WITHOUT, WITHOUT + 2 + os.getpid() % 4000
    command = [engine, "run", "--rm", "--interactive", f"--name={name}", "--network=none", "--read-only"]
    command += ["--tmpfs=/box:rw,size=32m,mode=1777", f"--memory={2 * limits.memory}"]
    command += [f"--memory-swap={2 * limits.memory}", "--pids-limit=128", "--cap-drop=ALL"]
    command += ["--ulimit=nofile=1024:1024", "--ulimit=nproc=512:512"]
    command += ["--security-opt=no-new-privileges", f"--user={user}:{group}", "--log-driver=none", IMAGE]
    command += ["python3", "-I", "-B", "/child.py", "/"]
    place = "/course" if course else None
    return Inside(command, "/box", [], place, True, dict(os.environ), end=[engine, "kill", name])


def image_files():
    """Return what the image is made from, path → bytes: the course without answers, and a Containerfile."""
    files = {Path(module.__file__).name: Path(module.__file__).read_bytes() for module in (child, notebook)}
    for path, place in course_files():
        for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if each.is_dir() or "__pycache__" in each.parts:
                continue
            inside = place / each.relative_to(path) if path.is_dir() else place
            files[f"course/{notebook.COURSE}/{inside.as_posix()}"] = each.read_bytes()
    wanted = ("numpy", "scipy", "scikit-learn", "matplotlib", "pillow", "joblib", "ipywidgets", "anywidget")
    pinned = " ".join(f"{name}=={version(name)}" for name in wanted)
    text = _CONTAINERFILE.format(
        python=".".join(map(str, sys.version_info[:2])), pinned=pinned, group=WITH, label=_digest(files)
    )
    return files | {"Containerfile": text.encode()}


_CONTAINERFILE = """\
# Where learners' code is graded. Build it here:  podman build -t optim-lessons-box .   (or docker)
ARG BASE=docker.io/library/python:{python}-slim
FROM $BASE
RUN pip install --no-cache-dir {pinned}
COPY child.py notebook.py /
COPY course /course
RUN chmod 644 /child.py /notebook.py
RUN chgrp -R {group} /course && chmod -R u=rwX,g=rX,o= /course && mkdir -p /box
ENV HOME=/box TMPDIR=/box MPLCONFIGDIR=/box MPLBACKEND=Agg
ENV OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 OMP_NUM_THREADS=1
LABEL optim_lessons={label}
"""


def _digest(files):
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name])
    return digest.hexdigest()[:16]


def why_no_container(engine):
    """Return why this engine cannot be used, or an empty text."""
    if not shutil.which(engine):
        return f"there is no program {engine!r}"
    ask = [engine, "image", "inspect", "--format", '{{index .Config.Labels "optim_lessons"}}', IMAGE]
    done = subprocess.run(ask, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    files = {name: data for name, data in image_files().items() if name != "Containerfile"}
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        return f"{engine} has no image {IMAGE!r}, or does not answer ({said})"
    if done.stdout.strip() != _digest(files):
        return f"the image {IMAGE!r} of {engine} is of another edition of the course: build it again"
    return ""


def libraries():
    """Return the folders that NumPy and what else an answer may use are imported from.

    They may lie anywhere: in the clone, outside, or in several places.
    """
    places = [Path(p) for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    places = [place.resolve() for place in (*places, Path(np.__file__).parents[1])]
    return [place for place in dict.fromkeys(places) if place.is_dir()]


_KEPT_OUT = ("course", "exercises", "teaching", "site", "notebooks", "assets", "__pycache__")


def course_files():
    """Yield what the course is without its answers: a path, and its place below the package's folder."""
    for folder in (_PACKAGE, _PACKAGE / "course"):
        for path in sorted(folder.iterdir()):
            if path.name not in _KEPT_OUT:
                yield path, path.relative_to(_PACKAGE)
    for path in sorted(shipped("assets").glob("*.np*")):
        yield path, Path("assets", path.name)


def _shown():
    """Return the folders of this machine that the code may read."""
    base = Path(sys.base_prefix).resolve()
    places = [Path("/", name) for name in _SYSTEM]
    places += [base / name for name in _LIBRARIES if base not in (Path("/"), Path("/usr"))]
    return list(dict.fromkeys([place for place in places if place.exists()] + libraries()))


@cache
def _copies_of_the_course(places):
    """Return all that is called like the course, in these folders, wherever it lies in them."""
    found, word = [], notebook.COURSE.replace("_", "")
    first = {*_LEFT_OUT, word[0], word[0].upper()}
    folders = [str(place) for place in places if not place.is_symlink()]
    while folders:
        for entry in _entries(folders.pop()):
            name = entry.name
            if name[0] in first and name[:20].lower().translate(_PLAIN).startswith(word):
                found.append(Path(entry.path).resolve())
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
    return found


_LEFT_OUT = "_-."
_PLAIN = str.maketrans("", "", _LEFT_OUT)


def _entries(folder):
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return list(entries)
    return []


def _script(course, hidden, environment):
    """Return the shell commands that make the file system and start Python in it."""
    shown = _shown()
    tree = source_tree()
    hidden = {Path(p).resolve() for p in (*_copies_of_the_course(tuple(shown)), _PACKAGE, *hidden)}
    hidden |= {tree} if tree else set()
    hidden = [p for p in hidden if p.exists() and any(p.is_relative_to(s) for s in shown)]
    # What lies in a folder that is hidden is gone already, if nothing between the two is shown again.
    hidden = [p for p in hidden if not any(_within(p, other, shown) for other in hidden)]
    lines = [
        "set -e",
        "umask 022",
        *(f"unset {name}" for name in environment),
        f"mount -t tmpfs -o mode=755,size=64m box {_MOUNTED_OVER}",
        f"cd {_MOUNTED_OVER}",
        "mkdir box dev",
        "touch dev/null",
        "mount --bind /dev/null dev/null",
    ]
    # From the outside in: libraries may lie in a clone that is hidden, with a course in them that is, too.
    steps = [(p, False) for p in shown] + [(p, True) for p in hidden]
    for place, hide in sorted(steps, key=lambda step: (len(step[0].parts), step[1])):
        inside = quote(f".{place}")
        if hide and place.is_dir():
            lines += [f"mkdir -p {inside}", f"mount -t tmpfs -o mode=755,size=1m hidden {inside}"]
        elif hide:
            lines.append(f"mount --bind /dev/null {inside}")
        elif place.is_symlink():
            lines += [f"mkdir -p {quote(f'.{place.parent}')}", f"ln -s {quote(os.readlink(place))} {inside}"]
        else:
            lines += [f"mkdir -p {inside}", f"mount -o bind,ro,nosuid,nodev {quote(str(place))} {inside}"]
    lines += [f"mount -o remount,bind,ro {quote(f'.{place}')}" for place in hidden if place.is_dir()]
    if course:
        lines.append(f"mkdir -p course/{notebook.COURSE}/course course/{notebook.COURSE}/assets")
        places = {}
        for path, place in course_files():
            places.setdefault(place.parent, []).append(quote(str(path)))
        lines += [f"cp -r {' '.join(paths)} course/{notebook.COURSE}/{to}" for to, paths in places.items()]
        lines.append("chmod -R a+rX course")
    lines += [
        f"cp {quote(child.__file__)} {quote(notebook.__file__)} .",
        "chmod 644 child.py notebook.py",
        "mount -t tmpfs -o mode=1777,size=32m,nr_inodes=10k box box",
        f"mount -o remount,bind,ro {_MOUNTED_OVER}",
    ]
    # Each worker's own: processes are counted by user, and nobody shall use up another one's share.
    nobody = _NOBODIES[os.getpid() % len(_NOBODIES)]
    nobody = f"--reuid={nobody} --regid={nobody} --clear-groups" if os.geteuid() == 0 else ""
    powerless = f"setpriv --no-new-privs --bounding-set=-all --inh-caps=-all {nobody}"
    return "\n".join([*lines, f"exec chroot . {powerless} {quote(str(_PYTHON))} -I -S -B /child.py /"])


def _within(place, other, shown):
    between = (s for s in shown if s.is_relative_to(other) and place.is_relative_to(s))
    return other in place.parents and not any(between)


# A folder that every Linux has, and that nothing in the script is read from.
_MOUNTED_OVER = "/sys"


@cache
def _with_memory_counted(memory):
    """Return a command's beginning that lets the kernel count its memory, with the variables it needs.

    Only systemd gives everybody such a group. Where there is none, the watch in box.py counts.
    """
    begin = ["systemd-run", "--scope", "--quiet", "--collect", "-p", f"MemoryMax={memory}"]
    begin += ["-p", "MemorySwapMax=0", *(["--user"] if os.geteuid() else [])]
    names = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    try:
        subprocess.run([*begin, "true"], capture_output=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return [], {}
    return begin, environment


def lacking():
    """Return what this system lacks for namespaces at first sight, or an empty text."""
    if sys.platform != "linux":
        return "it is not Linux"
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=PATH)]
    return f"it has no program {missing[0]!r}" if missing else ""
