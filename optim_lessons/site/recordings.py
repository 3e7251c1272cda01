"""All lessons' recordings: made on all cores, each lesson in a process of its own, and kept in a cache.

A lesson is recorded anew when its notebook's code, a file that was loaded while it ran, or a library changed.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from importlib.metadata import version
from pathlib import Path

import joblib
from tqdm import tqdm

from optim_lessons.course.copies.workbook import pristine
from optim_lessons.course.kernels import prepare_environment
from optim_lessons.course.notebook import sources
from optim_lessons.course.refused import Refused
from optim_lessons.lab.shipped import shipped
from optim_lessons.site.record import DONE, FILES

LIBRARIES = ("matplotlib", "numpy", "pillow", "scikit-learn", "scipy")
_MADE_FROM = "made_from.json"
_PACKAGE = Path(__file__).resolve().parent.parent


class NotBuilt(Refused):
    """What keeps a part of the site from being made, in words."""

    status = 1


def recordings(lessons, stops, cache):
    """Return the recordings of lessons: lesson → {cell id → path of the recording}.

    stops: of each control, at most.  cache: a folder in which they are kept. Raises NotBuilt, with the
    lesson, the explorer and the reason, if one cannot be made.
    """
    prepare_environment()
    places = {lesson: cache / f"{lesson}-{stops}" for lesson in lessons}
    due = [lesson for lesson in lessons if not _is_fresh(lesson, places[lesson])]
    due.sort(key=_explorers_in, reverse=True)  # so that no core is left alone with a long one at the end
    with tqdm(
        total=sum(map(_explorers_in, due)), desc="recording", unit=" explorers", disable=not due
    ) as bar:
        joblib.Parallel(n_jobs=-1, prefer="threads")(
            joblib.delayed(_record)(lesson, stops, places[lesson], bar) for lesson in due
        )
    return {lesson: {path.stem: path for path in place.glob("*.bin")} for lesson, place in places.items()}


def _explorers_in(lesson):
    return sum(source.count("explore(") for source in sources(pristine(lesson)))


def _record(lesson, stops, place, bar):
    """Record a lesson in a process of its own; its folder appears when it is complete."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        command = [sys.executable, "-m", "optim_lessons.site.record", lesson, folder, str(stops)]
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        last = deque(maxlen=40)
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=environment,
        ) as process:
            for line in process.stdout:
                last.append(line)
                if line.startswith(DONE):
                    bar.update()
        if process.returncode:
            said = "".join(line for line in last if not line.startswith(DONE))
            raise NotBuilt(f"lesson {lesson} could not be recorded.\n{said.strip()}")
        files = json.loads((Path(folder) / FILES).read_text(encoding="utf-8"))
        made = json.dumps(_made_from(lesson, files))
        (Path(folder) / _MADE_FROM).write_text(made, encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place)


def _is_fresh(lesson, place):
    try:
        made = json.loads((place / _MADE_FROM).read_text(encoding="utf-8"))
        return made == _made_from(lesson, made["files"])
    except (OSError, ValueError, KeyError):
        return False


def _made_from(lesson, files):
    """Return what a recording depends on.  files: of the package, relative to it."""
    return {
        "code": _digest("\0".join(sources(pristine(lesson))).encode()),
        "files": {name: _digest((_PACKAGE / name).read_bytes()) for name in files},
        "assets": {
            path.name: _digest(path.read_bytes())
            for path in sorted(shipped("assets").iterdir())
            if path.suffix in (".npz", ".mplstyle")
        },
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _digest(data):
    return hashlib.sha256(data).hexdigest()
