"""The part of the explorers that runs in the page: plain JavaScript without a build step, and a style sheet.

painter.js   paints frames (lab/frames.py) on a canvas, at the screen's own resolution, in light and dark
numbers.js   numbers as Python prints them, and as people type them
calls.js     writes frames, as Matplotlib's artists would
reading.js   what a picture of walks says in words: lab/reading.py in the page
noise.js     NumPy's random numbers in the page
formulas.js  makes functions of printed formulas
sweep.js     many runs to their end, in workers: lab/sweep.py in the page
walks.js     walks and races that the page works out by itself
maps.js      maps whose every pixel is a run
printed.js   makes frames of what these work out
player.js    what is to be shown, what is known, and what is asked for, whoever makes the frames
controls.js  sliders, boxes, lists, switches and the play button
explorer.js  picture, controls and sentence on a page; the hand on the picture
widget.js    the explorer in a notebook, with a kernel that makes frames

Leans on: nothing of the course.
Leaned on by: site.
"""

import functools
import re
from pathlib import Path

_HERE = Path(__file__).parent
PARTS = ("painter.js", "numbers.js", "calls.js", "reading.js", "noise.js", "formulas.js")
PARTS += ("sweep.js", "walks.js", "maps.js", "printed.js", "player.js", "controls.js", "explorer.js")
_IMPORT = re.compile(r"^import .*?;\n", re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def source(name):
    """Return the text of one of the files."""
    return (_HERE / name).read_text(encoding="utf-8")


@functools.cache
def script():
    """Return the parts in one piece, for a page without modules, such as one opened from a disk."""
    return "".join(_EXPORT.sub("", _IMPORT.sub("", source(name))) for name in PARTS)


@functools.cache
def widget():
    """Return the module that a notebook's page loads."""
    return script() + _IMPORT.sub("", source("widget.js"))


@functools.cache
def style():
    """Return the style sheet."""
    return source("explorer.css")
