"""Which editions of a lesson a working copy has had: a small hidden record beside the learner's files.

Without the record an edited notebook cannot tell what it began as. A lost or broken record costs nobody work.
"""

import hashlib
import json
from typing import NamedTuple

from optim_lessons.course.copies.damage import content
from optim_lessons.course.copies.workbook import make_writable_folder, write_over

RECORD = ".optim-lessons"
_KEPT = 5  # editions of a lesson: enough for those who skip a few, and the record stays small


class Cell(NamedTuple):
    """A cell of a notebook.  kind: "code" or "markdown"."""

    id: str
    kind: str
    text: str


class Edition(NamedTuple):
    """A lesson as a version of the course shipped it.  digest: of the file's bytes."""

    version: str
    digest: str
    cells: tuple


def cells_of(notebook):
    """Return a notebook's cells without the empty ones, which JupyterLab adds when the last cell is run."""
    return tuple(
        Cell(str(cell.get("id", "")), cell["cell_type"], cell["source"])
        for cell in notebook["cells"]
        if cell["source"].strip()
    )


def texts(cells):
    """Return what a reader sees of cells: each one's kind and text."""
    return [(cell.kind, cell.text) for cell in cells]


def digest(data):
    """Return a hash of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def edition(data, version):
    """Return the edition that a shipped notebook's bytes are."""
    return Edition(version, digest(data), cells_of(content(data)))


def recorded(folder, lesson):
    """Return the editions of a lesson that a working copy has had, the newest last; none if that is lost."""
    try:
        entries = json.loads((folder / RECORD / f"{lesson}.json").read_bytes())["editions"]
        return [
            Edition(str(e["version"]), e["digest"], tuple(Cell(*map(str, cell)) for cell in e["cells"]))
            for e in entries
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []


def record(folder, lesson, editions):
    """Keep the editions of a lesson, in one piece."""
    make_writable_folder(folder / RECORD)
    path = folder / RECORD / f"{lesson}.json"
    entries = [edition._asdict() for edition in editions[-_KEPT:]]
    write_over(path, json.dumps({"editions": entries}).encode())


def origin(cells, editions):
    """Return the edition that a learner's cells come from: the one they share most cells with, or None."""
    mine = set(texts(cells))
    return max(editions[::-1], key=lambda edition: len(mine.intersection(texts(edition.cells))), default=None)
