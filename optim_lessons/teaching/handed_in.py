"""What is in a folder of hand-ins: which notebooks, whose they are, and what cannot be graded.

Nobody may vanish: a folder without a notebook is told with the reason. Nobody may be merged with somebody
else: what a learning platform adds to a name (platforms.py) is taken off only where names stay different.
"""

import hashlib
import os
import re
from collections import Counter
from datetime import datetime
from typing import NamedTuple

from optim_lessons.course.copies.workbook import lessons
from optim_lessons.teaching.platforms import alike, is_the_platforms_own, named, submitters, when

_NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)  # some browsers add an ending
_NOBODYS = re.compile(r"__macosx|thumbs\.db|desktop\.ini|\._.*|\.ds_store|\.git|\.github|\.ipynb_checkpoints")
_SHOWN = 4
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
    if (folder / "Submitted files").is_dir():  # Teams, which keeps drafts in a folder beside it
        return folder / "Submitted files"
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
    reasons, names = {}, os.listdir(folder)
    for path in sorted(folder.iterdir()):
        text = path.name.replace("_assignsubmission_onlinetext", "_assignsubmission_file")
        if {path.name, text} & graded or _NOBODYS.fullmatch(path.name.lower()):
            continue
        if is_the_platforms_own(path.name, names):
            continue
        if path.name.startswith("."):
            if path.is_dir() or _NOTEBOOK.search(path.name):
                end = "/" if path.is_dir() else ""
                reasons[path.name + end] = "its name begins with a dot, so it is hidden: give it another name"
        elif not path.is_dir():
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
    files, links, dotted = [], [], []
    for place, folders, names in os.walk(folder):
        links += [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in names:
            if not _NOBODYS.fullmatch(name.lower()):
                (dotted if name.startswith(".") else files).append(name)
        dotted += [name for name in folders if _hidden(name) and not _NOBODYS.fullmatch(name.lower())]
    for found, said in (
        (files, "it holds no notebook: {}: ask for the .ipynb file"),
        (links, "it holds only links, which are not followed: {}: copy the folder itself"),
        (dotted, "what it holds begins with a dot, so it is hidden: {}: give it another name"),
    ):
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            return said.format(", ".join(sorted(found)[:_SHOWN]) + more)
    return "the folder is empty: ask for the .ipynb file"


def _hidden(name):
    return name.startswith(".") or bool(_NOBODYS.fullmatch(name.lower()))


# Whose they are


class Learner(NamedTuple):
    """Whose a notebook is.  name: like nobody else's.  number: the platform's.  folder: as it came.

    late: as the platform says.  date: of the platform's name, or None.
    """

    name: str
    number: str = ""
    late: bool = False
    date: datetime | None = None


def learners_of(paths, folder=None):
    """Return path → Learner: the short name, or the whole one where two people would have the same.

    Names that look the same are the same here; two people whose names do are told apart by a mark.
    """
    around, known = folder.name if folder else "", lessons()
    told = submitters(folder) if folder else {}
    found = {path: _named(path, known, around, told) for path in paths}
    # Of one learner, a platform has one file of a name: the same name twice, and they are two learners.
    twice = Counter((each.long, each.rest) for each in found.values() if each.rest)
    for path, each in found.items():
        if each.rest and twice[each.long, each.rest] > 1:
            whole = _without_lesson(_stem(path), known)
            found[path] = each._replace(short=whole, long=whole)
    shorts = Counter(alike(short) for short, _ in {(each.short, each.long) for each in found.values()})
    longs = Counter(alike(long) for long in {each.long for each in found.values()})
    learners = {}
    for path, each in found.items():
        name = each.short if shorts[alike(each.short)] == 1 else each.long
        if shorts[alike(each.short)] > 1 and longs[alike(each.long)] > 1:
            name = f"{each.long} [{_mark(each.long)}]"
        learners[path] = Learner(name, each.number, each.late, each.date)
    return learners


class _Found(NamedTuple):
    short: str
    long: str
    rest: str
    number: str
    late: bool
    date: datetime | None


def _named(path, known, around, told):
    """Return what a path's name says: of the learner a short name, and one with the platform's number."""
    is_file = len(path.parts) == 1
    first = _stem(path) if is_file else path.parts[0]
    said = named(first, is_file=is_file, around=around)
    learner = told.get(first, said.learner)
    if is_file and said.platform in ("plain", "Google Drive"):
        learner = _without_lesson(learner, known)
        learner = first if any(lesson in learner for lesson in known) else learner  # it names nobody
    long = f"{learner}_{said.number}" if said.number else learner
    # Moodle and the others give each learner a name and a number; Canvas's number alone may be a group's.
    rest = said.rest if said.platform == "Canvas" else ""
    return _Found(learner, long, rest, said.number, said.late, when(said.date))


def _mark(text):
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:4]


def _stem(path):
    return _NOTEBOOK.sub("", path.name) if _NOTEBOOK.search(path.name) else path.stem


def _without_lesson(stem, lessons):
    # The course itself puts 04_momentum-fresh.ipynb or 04_momentum-new-0.2.0.ipynb beside a learner's file.
    lesson = rf"({'|'.join(map(re.escape, lessons))})(-(fresh|new-\d[\d.]*)(-\d)?)?"
    rest, found = re.subn(lesson, "", stem)
    # A file that is named by its lesson and no learner may be anybody's: then its copies are kept apart.
    return (_COPY.sub("", rest) if found else rest).strip(" _-.") or stem
