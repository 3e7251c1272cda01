"""What is in a folder of hand-ins: which notebooks, whose they are, and what cannot be graded.

Nobody may vanish: a folder without a notebook is told with the reason. Nobody may be merged with somebody
else: what a learning platform adds to a name is taken off only where the names stay different.
"""

import os
import re
from collections import Counter

from optim_lessons.course.copies.workbook import lessons

_NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)  # some browsers add an ending
_NOBODYS = {"__macosx", "thumbs.db", "desktop.ini"}
_SHOWN = 4
_MOODLE = re.compile(r"(.+?)_(\d+)_assignsubmission_file(_.*)?")
_CANVAS = re.compile(r"([^_\s]+)(?:_LATE)?_(\d{4,})_(\d{4,})_(.+)")
_COPY = re.compile(r"( \(\d+\)|-Copy\d+)+$")


def submissions(folder, lesson=None):
    """Return the notebooks below a folder as relative paths, in order.

    With a lesson, those whose file's name is another lesson's are left out.
    """
    others = set(lessons()) - {lesson} if lesson else ()
    return sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if _NOTEBOOK.search(path.name)
        and not any(map(_hidden, path.relative_to(folder).parts))
        and not any(other in path.name.lower() for other in others)
        and (os.path.islink(path) or not os.path.isdir(path))  # of what cannot be looked into, too
    )


def class_folder(folder):
    """Return the folder whose folders are the learners': one folder around all of them is gone into."""
    inner = folder
    while True:
        found = submissions(inner)
        names = {path.parts[0] for path in found if len(path.parts) > 1}
        if inner != folder and sum(not any(x in name for x in lessons()) for name in names) > 1:
            return inner
        folders = [p for p in inner.iterdir() if p.is_dir() and not p.is_symlink() and not _hidden(p.name)]
        if len(folders) != 1 or any(len(path.parts) == 1 for path in found):
            return folder
        inner = folders[0]


def left_out(folder, lesson=None):
    """Return what cannot be graded, name → reason: folders without a notebook ("ada/"), other files."""
    graded = {path.parts[0] for path in submissions(folder, lesson)}
    notebooks = {path.parts[0] for path in submissions(folder)}
    reasons = {}
    for path in sorted(folder.iterdir()):
        if path.name in graded or _hidden(path.name):
            continue
        if not path.is_dir():
            if path.name not in notebooks:
                reasons[path.name] = "it is no notebook: ask for the .ipynb file"
        elif path.name in notebooks:
            reasons[f"{path.name}/"] = f"no notebook of this lesson, {lesson}, is in it"
        else:
            reasons[f"{path.name}/"] = _without_notebook(path)
    return reasons


def _without_notebook(folder):
    if folder.is_symlink():
        return "it is a link, and links are not followed: copy the folder itself"
    if not os.access(folder, os.R_OK | os.X_OK):
        return "the folder cannot be read: look at its rights"
    files = sorted(name for _, _, names in os.walk(folder) for name in names if not _hidden(name))
    if not files:
        return "the folder is empty: ask for the .ipynb file"
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return f"it holds no notebook: {', '.join(files[:_SHOWN])}{more}: ask for the .ipynb file"


def _hidden(name):
    return name.startswith(".") or name.lower() in _NOBODYS


def learners_of(paths):
    """Return path → learner: the short name, or the whole one where two people would have the same."""
    names, known = {path: _names(path, lessons()) for path in paths}, lessons()
    # Of one learner, a platform has one file of a name: the same name twice, and they are two learners.
    twice = Counter((long, rest) for _, long, rest in names.values() if rest)
    for path, (_, long, rest) in names.items():
        if twice[long, rest] > 1:
            whole = _without_lesson(_stem(path), known)
            names[path] = (whole, whole, "")
    people = Counter(short for short, _ in {(short, long) for short, long, _ in names.values()})
    return {path: short if people[short] == 1 else long for path, (short, long, _) in names.items()}


def _names(path, lessons):
    """Return the learner's short name, a name with the platform's number, and Canvas's name of the file."""
    is_file = len(path.parts) == 1
    name = _stem(path) if is_file else path.parts[0]
    if moodle := _MOODLE.fullmatch(name):
        return moodle[1], f"{moodle[1]}_{moodle[2]}", ""
    if is_file and (canvas := _CANVAS.fullmatch(name)):
        return canvas[1], f"{canvas[1]}_{canvas[2]}", canvas[4]
    name = _without_lesson(name, lessons) if is_file else name
    return name, name, ""


def _stem(path):
    return _NOTEBOOK.sub("", path.name) if _NOTEBOOK.search(path.name) else path.stem


def _without_lesson(stem, lessons):
    # The course itself puts 04_momentum-fresh.ipynb or 04_momentum-new-0.2.0.ipynb beside a learner's file.
    lesson = rf"({'|'.join(map(re.escape, lessons))})(-(fresh|new-\d[\d.]*)(-\d)?)?"
    rest, found = re.subn(lesson, "", stem)
    # A file that is named by its lesson and no learner may be anybody's: then its copies are kept apart.
    return (_COPY.sub("", rest) if found else rest).strip(" _-.") or stem
