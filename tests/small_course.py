"""A course of a few small lessons, in the place of the shipped one."""

import json

from optim_lessons.course.copies import upgrade, workbook


def cell(name, text):
    """Return a cell as a file holds it: Markdown if the text begins with "#" or "Text", else code."""
    kind = "markdown" if text.startswith(("#", "Text")) else "code"
    rest = {} if kind == "markdown" else {"outputs": [], "execution_count": None}
    return {"id": name, "cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)} | rest


def as_bytes(cells):
    """Return a notebook's file as this machine's JupyterLab has it once it is opened.  cells: id → text."""
    notebook = {"cells": [cell(*entry) for entry in cells.items()], "metadata": {}}
    notebook |= {"nbformat": 4, "nbformat_minor": 5}
    return workbook.as_opened(json.dumps(notebook, sort_keys=True).encode())


FIRST = {
    "title": "# Small",
    "imports": "import numpy as np",
    "part": "## 1 · The part\nText of the part.",
    "rule": "def my_rule(w, g): ...",
    "check": "print(my_rule)",
    "old": "Text that the next edition does not have.",
    "guess": "guess = ...",
}
SECOND = {
    "title": "# Small",
    "imports": "import numpy as np",
    "part": "## 1 · The part\nText of the part, with one word more.",
    "rule": "def my_rule(w, g): ...",
    "check": "print(my_rule)",
    "more": "## 2 · More\nSomething quite different is said here, at some length.",
    "guess": "guess = ...",
}


class Course:
    """Has shipped three lessons and ships others: course.ship("0.2.0", {"00_start": cells})."""

    def __init__(self, root, monkeypatch):
        self.root, self.copy, self._monkeypatch = root, root / "copy", monkeypatch
        monkeypatch.setattr(workbook, "shipped", root.joinpath)
        self.ship("0.1.0", dict.fromkeys(["00_start", "01_first", "02_second"], FIRST))

    def ship(self, version, lessons):
        """Put an edition into the place of the shipped one.  lessons: name → cells, or bytes."""
        (self.root / "notebooks").mkdir(exist_ok=True)
        self._monkeypatch.setattr(upgrade, "__version__", version)
        for name, cells in lessons.items():
            data = cells if isinstance(cells, bytes) else as_bytes(cells)
            (self.root / "notebooks" / f"{name}.ipynb").write_bytes(data)

    def seen(self):
        """Return the name and the bytes of every file of the copy that a learner sees."""
        return {path.name: path.read_bytes() for path in self.copy.glob("[!.]*")}
