"""Arguments that several commands take: one text for each, and one reading."""

import argparse

from optim_lessons.course.copies import workbook
from optim_lessons.lab.shipped import shipped

LESSON = "its number or name: 4, 04, momentum"


def add_folder(parser):
    """Add --folder, the learner's working copy."""
    parser.add_argument(
        "--folder",
        type=workbook.named_path,
        default=workbook.default_folder(),
        metavar="F",
        help="your copy of the course (default: course/ in a clone, else ./optim-lessons-course)",
    )


def add_lessons(parser, words):
    """Add --lesson, which gathers names of lessons in a list; without it the list is None."""
    parser.add_argument("--lesson", type=_lessons, action="extend", metavar="LESSON", help=words)


def _lessons(text):
    return [workbook.find_lesson(word) for word in text.split(",")]


def add_notebooks(parser):
    """Add the lessons' own notebooks that a command is about, all of them by default."""
    parser.add_argument(
        "notebook",
        nargs="*",
        type=workbook.named_path,
        default=sorted(shipped("notebooks").glob("*.ipynb")),
        metavar="NOTEBOOK",
        help="its path (default: all of the course's notebooks)",
    )


def whole(least, most=10**9):
    """Return what reads an argument that is a whole number between these two."""

    def read(text):
        if not text.isdecimal() or not least <= int(text) <= most:
            bounds = f"from {least} to {most}" if most < 10**9 else f"of {least} or more"
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number {bounds}")
        return int(text)

    return read
