"""What bringing a working copy up to date has done, in words: in the terminal, and in a file beside."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from optim_lessons.course.copies import damage
from optim_lessons.course.copies.workbook import reset_command

_FEW = 3  # lessons whose changes fit on a screen


@dataclass
class Report:
    """What became of the lessons.  copied, replaced, locked: names.  damaged: name → kind of damage.

    beside: new editions beside the learner's notebooks.  version: of the installed course.
    newer: the version of a copy that is newer.
    """

    copied: list = field(default_factory=list)
    replaced: list = field(default_factory=list)
    beside: list = field(default_factory=list)
    locked: list = field(default_factory=list)
    damaged: dict = field(default_factory=dict)
    newer: str = ""
    version: str = ""


@dataclass
class Beside:
    """A new edition beside a learner's notebook.

    filled: names of the answers carried over.  changes: since the version `began`, or since the learner's
    own file where that is not known.
    """

    lesson: str
    version: str
    path: Path
    filled: list
    changes: list
    began: str


def in_words(report, folder):
    """Return what a learner should know about an update, as lines."""
    lines = []
    if report.replaced or any(new.began for new in report.beside):
        lines.append(f"The installed course, version {report.version}, has new editions of lessons.")
    if report.replaced:
        lines.append(
            f"  You had changed nothing in these, so they were replaced: {', '.join(report.replaced)}"
        )
    for new in report.beside:
        which = "new one" if new.began else f"edition of version {new.version}"
        lines.append(f"  {new.lesson}: yours stays as it is. The {which} is beside it: {new.path.name}")
        if not new.began:
            lines.append("    yours was compared with it, as it is not recorded what yours began as")
        if new.filled:
            lines.append(f"    your answers are filled in: {', '.join(new.filled)}")
        short = _by_section(new.changes) if len(report.beside) <= _FEW else [_in_all(new.changes)]
        lines += [f"    {line}" for line in short]
        lines.append(
            f"    the whole list, and how to go on with the new one: {new.path.with_suffix('.md').name}"
        )
    if report.newer:
        lines.append(
            f"This copy holds lessons of version {report.newer}. The installed course is {report.version}, "
            "an older one, so they stay as they are."
        )
    for lesson in report.locked:
        lines += [
            f"You may read {lesson}.ipynb but not write to it: what you change there cannot be saved.",
            f"  A fresh copy that is yours: {reset_command(folder, lesson)}",
        ]
    for lesson, kind in report.damaged.items():
        lines.append(f"{lesson}.ipynb is damaged: {kind}.")
        lines += [f"  {line}" for line in damage.offer(folder / f"{lesson}.ipynb", lesson)]
    return lines


def list_of_changes(new):
    """Return the list of what changed in a new edition, as the Markdown file beside it."""
    name = f"`{new.lesson}.ipynb`"
    lines = [
        f"# What {'is new' if new.began else 'differs'} in {new.lesson}, version {new.version}",
        "",
        f"Your file {name} is as you left it. The new edition is `{new.path.name}`.",
    ]
    if new.filled:
        answers = ", ".join(f"`{answer}`" for answer in new.filled)
        lines.append(
            f"Your answers are filled in there: {answers}. What else you wrote is in your file only."
        )
    since = f"the edition you began with, version {new.began}."
    if not new.began:
        since = "your own file, so what you wrote yourself is in it too, as changed or gone."
    lines += [
        "",
        f"To go on with the new edition, give your file another name, then give the new one the name {name}.",
        "",
        f"This list compares the new edition with {since} In all: {_in_all(new.changes)}.",
        "",
    ]
    from optim_lessons.course.copies.changes import as_markdown

    return "\n".join([*lines, as_markdown(new.changes)])


def _by_section(changes):
    sections = {}
    for change in changes:
        sections.setdefault(change.section, []).append(change)
    return [f"{section}: {_in_all(found)}" for section, found in sections.items()] or [_in_all(changes)]


def _in_all(changes):
    kinds = Counter(change.kind for change in changes)
    counts = [f"{kinds[kind]} {kind}" for kind in ("new", "changed", "gone") if kinds[kind]]
    return ", ".join(counts) or "the same cells in another order"
