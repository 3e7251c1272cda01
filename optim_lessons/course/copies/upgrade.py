"""Bring a working copy up to the installed course, without touching a file that a learner has changed.

A lesson that is missing is copied. One that still is, byte for byte, an edition the course has put there is
replaced. Beside any other the new edition is put once, under a name of its own, with a list of what changed.
"""

import itertools
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path

from optim_lessons import __version__
from optim_lessons.course.copies import damage, editions, workbook
from optim_lessons.course.copies.upgrade_words import Beside, Report, list_of_changes
from optim_lessons.course.copies.workbook import write_draft, write_new

_DRAFT = re.compile(r"\..+-[0-9a-f]{32}\.part")
_OLD = 24 * 3600  # seconds: a draft that has lain this long belongs to no program that still runs


def update(folder):
    """Copy the lessons that are missing into a folder, bring new editions, and return a Report.

    Each file appears whole or not at all, however the program ends, and the next run goes on from there.
    Raises OSError if the folder cannot be made or written to.
    """
    folder, report = Path(folder), Report(version=__version__)
    workbook.make_writable_folder(folder)  # a learner must be able to save, even if no lesson is missing
    for place in (folder, folder / editions.RECORD):
        _sweep(place)
    for lesson in workbook.lessons():
        _update(folder, lesson, report)
    return report


def _update(folder, lesson, report):
    path, shipped = folder / f"{lesson}.ipynb", workbook.as_opened(workbook.pristine(lesson))
    had = editions.recorded(folder, lesson)
    if not os.path.lexists(path) and write_new(path, shipped):
        report.copied.append(lesson)
    try:
        data, mine = damage.read(path)
    except damage.Damaged as error:
        report.damaged[lesson] = str(error)
        return
    writable = os.access(path, os.W_OK)
    if not writable:
        report.locked.append(lesson)
    digests = [edition.digest for edition in had]
    if editions.digest(shipped) in digests:
        return
    if had and _release(__version__) < _release(had[-1].version):
        report.newer = had[-1].version
        return
    edition, cells = editions.edition(shipped, __version__), editions.cells_of(mine)
    began = editions.origin(cells, had)
    if data == shipped:
        pass
    elif editions.digest(data) in digests and writable and _replace(path, data, shipped):
        report.replaced.append(lesson)
    elif not _known(edition, had, cells):
        report.beside.append(_put_beside(folder, lesson, shipped, mine, began))
    # Last: a program killed before this line does the same again, and finds it done.
    editions.record(folder, lesson, [*(e for e in had if e is began or e in had[-3:]), edition])


def _known(edition, had, cells):
    """Whether a learner has had these cells. Where the record is lost: all but the exercises' own."""
    from optim_lessons.course.copies.carry import asks

    if had:
        return any(editions.texts(edition.cells) == editions.texts(other.cells) for other in had)
    given = (cell for cell in edition.cells if cell.kind != "code" or not asks(cell.text))
    return set(editions.texts(given)) <= set(editions.texts(cells))


def _replace(path, data, shipped):
    """Replace a file that still holds data; return whether it was done. A link is left alone."""
    if path.is_symlink():
        return False
    draft = write_draft(path, shipped)
    try:
        now = path.read_bytes()
        if now != data:
            return now == shipped  # a neighbour was faster, or the learner
        os.replace(draft, path)
    except PermissionError:  # on Windows, a file that another program has open
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def _put_beside(folder, lesson, shipped, mine, began):
    from optim_lessons.course.copies.carry import answered  # these two only where something is new
    from optim_lessons.course.copies.changes import changes

    page, filled = answered(damage.content(shipped), mine)
    path, _ = put_beside(folder, f"{lesson}-new-{__version__}", _as_bytes(page) if filled else shipped)
    found = changes(
        began.cells if began else editions.cells_of(mine),
        editions.cells_of(damage.content(shipped) if began else page),
    )
    beside = Beside(lesson, __version__, path, filled, found, began.version if began else "")
    write_new(path.with_suffix(".md"), list_of_changes(beside).encode())
    return beside


def put_beside(folder, stem, data):
    """Write a notebook under the first free name; return its path, and False if it was there already."""
    for number in itertools.count(1):
        path = folder / (f"{stem}.ipynb" if number == 1 else f"{stem}-{number}.ipynb")
        if write_new(path, data):
            return path, True
        with suppress(OSError):
            if path.read_bytes() == data:
                return path, False


def _as_bytes(notebook):
    """Return a notebook as the file that JupyterLab would save."""
    cells = [cell | {"source": cell["source"].splitlines(keepends=True)} for cell in notebook["cells"]]
    text = json.dumps(notebook | {"cells": cells}, indent=1, ensure_ascii=False, sort_keys=True)
    return f"{text}\n".encode()


def _release(version):
    return [int(number) for number in re.match(r"[\d.]*", version)[0].split(".") if number]


def _sweep(folder):
    """Remove what programs that were killed long ago have left; a neighbour that runs keeps its own."""
    for path in folder.glob(".*.part"):
        with suppress(OSError):
            if _DRAFT.fullmatch(path.name) and time.time() - path.stat().st_mtime > _OLD:
                path.unlink()
