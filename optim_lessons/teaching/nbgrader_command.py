"""The command `optim-lessons nbgrader`: a course folder for nbgrader."""

import sys

from optim_lessons.course.arguments import add_lessons
from optim_lessons.course.copies.workbook import lessons, named_path

ABOUT = """\
Write a course for nbgrader into FOLDER, ready to use: the lessons with their solutions, the checks with
their points, and the settings. FOLDER must be new or empty."""


def add_arguments(parser):
    """Add what the command takes."""
    parser.add_argument("folder", type=named_path, metavar="FOLDER", help="where the course goes")
    add_lessons(parser, "only this one, or these: 0,1,4 (default: all)")


def run(arguments):
    """Write the course, and say what comes next."""
    from optim_lessons.teaching.nbgrader_course import (  # nbformat takes seconds
        missing_programs,
        write_course,
    )

    folder = arguments.folder.absolute()
    names = sorted(set(arguments.lesson or lessons()))
    exercises = write_course(folder, names)
    points = sum(exercise.points for exercise in exercises)
    print(f"A course for nbgrader: {folder}")
    print(f"lessons: {len(names)}, exercises: {len(exercises)}, points: {points}")
    print(f"Next: go to that folder and type\n  nbgrader generate_assignment {names[0]}")
    if missing := missing_programs():
        print(missing, file=sys.stderr)
    return 0
