"""Run the cells of a notebook under several seeds of nudges, and print as JSON what they show in words.

    python nudged.py lesson.ipynb 1 2 3      # seed → [[[id of a cell, error or "", text, ...], ...], bests]

bests: what was chosen at an end of its range, as "lr 0.1, the highest of 81 tried".

It does without kernels: the course is imported once, and each seed gets a process forked from this one.
"""

import contextlib
import io
import json
import os
import sys

import joblib
import matplotlib
import nbformat
import numpy as np
from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import optim_lessons.course.check  # noqa: F401 (loaded once for all)
from optim_lessons.lab import datasets, live, nudges, plots
from optim_lessons.lab.fair import every_best

matplotlib.use("Agg")
datasets.digits()  # read once for all


class Hook(DisplayHook):
    """Keeps the words of what the last line of a cell shows."""

    words = ()

    def write_output_prompt(self):
        pass

    def write_format_data(self, format_dict, md_dict=None):
        Hook.words = (format_dict["text/plain"],)

    def finish_displayhook(self):
        pass


class Shell(InteractiveShell):
    displayhook_class = Hook


def words(cells):
    """Run cells and return, for each one with code, its id and what it prints, shows or fails with."""
    config = Config(HistoryManager={"enabled": False}, InteractiveShell={"colors": "nocolor"})
    shell, found = Shell.instance(config=config), []
    for cell in cells:
        Hook.words, printed = (), io.StringIO()
        with contextlib.redirect_stdout(printed):
            result = shell.run_cell(cell.source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        failed = f"{type(error).__name__}: {error}" if error else ""
        found.append([cell.id, failed, *filter(None, [printed.getvalue()]), *Hook.words])
    return found


def forked(work):
    """Return what a function returns in a process that is forked from this one."""
    reading, writing = os.pipe()
    if not os.fork():
        with os.fdopen(writing, "w") as pipe:
            json.dump(work(), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        result = json.load(pipe)
    os.wait()
    return result


def under(seed, cells):
    nudges.SEED = seed
    # Other processes would not know the seed, and what they choose would not be heard.
    with joblib.parallel_config("sequential"), every_best() as heard:
        shown = words(cells)
    return shown, [str(best) for best in heard if best.at_edge]


def without_pictures():
    """Nobody looks at the pictures: only what they say is worked out."""
    live.LiveFigure.frame = lambda self, values: live.Frame(self.draw(values), np.zeros(3, np.int16))
    live.figure_png = plots.figure_png = lambda figure, moving=(): b""


def main(path, *seeds):
    without_pictures()
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    print(json.dumps({seed: forked(lambda seed=seed: under(int(seed), cells)) for seed in seeds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
