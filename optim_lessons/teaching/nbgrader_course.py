"""A course folder in which nbgrader's commands run as they are, for `optim-lessons nbgrader`.

Each exercise becomes two cells that nbgrader knows: the answer, with the solution in a region that learners
do not get, and the check, whose assertion they do not get either. So their notebook reads as it is shipped.
"""

import importlib.util
import re
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

import nbformat

from optim_lessons.course.copies.workbook import (
    make_writable_folder,
    pristine,
    write_new,
)
from optim_lessons.course.notebook import checked, code_cells, find
from optim_lessons.course.refused import Refused

CONFIG = '''\
"""What nbgrader does in this folder. Written by `optim-lessons nbgrader`."""

from optim_lessons.course.kernels import prepare_environment

prepare_environment()  # for the kernels that run the notebooks

c = get_config()
c.CourseDirectory.course_id = "optim_lessons"
# An open answer stands above each solution, so nothing takes the solution's place.
c.ClearSolutions.code_stub = {"python": ""}
# Seconds for one cell. The slowest of the course needs a fraction, but a busy machine is slow.
c.Execute.timeout = 120
# A live picture needs a kernel. In feedback it is a still one.
c.NbConvertBase.display_data_priority = ["text/html", "image/png", "text/markdown", "text/plain"]
'''

_SOLUTION = """\
### BEGIN SOLUTION
{solution}
### END SOLUTION"""
# Shown, not returned: nbgrader takes the result of such a cell for a number of points.
_CHECK = """\
{check}
### BEGIN HIDDEN TESTS
verdict = {check}
display(verdict)
assert verdict, verdict.mistake or "no points"
### END HIDDEN TESTS"""


def write_course(folder, names):
    """Write the course folder for these lessons and return their exercises.

    The settings come last: a folder that has them is whole. Raises Refused, and changes nothing, if there
    is anything in the folder, or if it cannot be written to.
    """
    from optim_lessons.course.exercises import EXERCISES  # a second that a wrong name need not wait for

    sources = {}
    for name in names:
        notebook = nbformat.reads(pristine(name).decode(), as_version=4)
        sources[name] = nbformat.writes(source_notebook(notebook, name, EXERCISES)) + "\n"
    try:
        _write(folder, sources)
    except OSError as error:
        raise Refused(
            f"cannot write a course to {str(folder)!r}: {error.strerror or error}.\n"
            "It needs a new folder, or an empty one that you may write to."
        ) from None
    return [exercise for exercise in EXERCISES.values() if exercise.id[:2] in {name[:2] for name in names}]


def _write(folder, sources):
    make_writable_folder(folder)
    if there := sorted(path.name for path in folder.iterdir()):
        raise Refused(
            f"{str(folder)!r} holds {there[0]!r} already, and a course in use must not be overwritten.\n"
            "Name a new folder. To add a lesson to a course, copy its folder in source/ from the new one."
        )
    with tempfile.TemporaryDirectory(dir=folder, prefix=".", suffix=".part") as draft:
        source = Path(draft, "source")
        for name, text in sources.items():
            (source / name).mkdir(parents=True)
            (source / name / f"{name}.ipynb").write_bytes(text.encode())
        source.rename(folder / "source")
    write_new(folder / "nbgrader_config.py", CONFIG.encode())


def source_notebook(notebook, lesson, exercises):
    """Return a shipped notebook as nbgrader's source, changed in place: solutions and points, no outputs.

    Raises LookupError if an exercise's answer or check is not in the notebook.
    """
    for exercise in exercises.values():
        if exercise.id[:2] != lesson[:2]:
            continue
        id = exercise.id.replace(".", "_")  # nbgrader takes no dots
        cell, statement = find(notebook, exercise.name)
        lines = cell.source.split("\n")
        solution = textwrap.dedent(exercise.solution).strip()
        lines.insert(statement.end_lineno, _SOLUTION.format(solution=solution))
        cell.source = "\n".join(lines)
        cell.metadata.nbgrader = _metadata(f"{id}_answer", solution=True)

        cell = _check_cell(notebook, exercise)
        cell.source = _CHECK.format(check=cell.source.strip())
        cell.metadata.nbgrader = _metadata(id, grade=True, locked=True, points=exercise.points)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:  # each lesson has a folder of its own
            cell.source = re.sub(r"\]\((\d\d_\w+)\.ipynb", r"](../\1/\1.ipynb", cell.source)
    return notebook


def missing_programs():
    """Return what nbgrader lacks to run from here, and what to do; an empty text if nothing."""
    if importlib.util.find_spec("nbgrader") is None:
        return (
            "nbgrader is not installed beside this course. It comes with the extra `teach`: "
            'pip install "optim_lessons[teach]", or in a clone pip install -e ".[teach]"'
        )
    if not all(map(shutil.which, ("nbgrader", "alembic"))):
        return (
            "nbgrader is installed, but its programs are not on the PATH, and it needs one itself: alembic.\n"
            f"Activate its environment, or put {str(Path(sys.executable).parent)!r} on the PATH."
        )
    return ""


def _check_cell(notebook, exercise):
    for cell in code_cells(notebook):
        if checked(cell.source) == (exercise.id, exercise.name):
            return cell
    wanted = f'check("{exercise.id}", {exercise.name})'
    raise LookupError(f"no cell of the notebook is `{wanted}`, as nbgrader needs it")


def _metadata(id, *, grade=False, solution=False, locked=False, points=None):
    about = {"grade": grade, "grade_id": id, "locked": locked, "schema_version": 3}
    about |= {"solution": solution, "task": False}
    return nbformat.from_dict(about if points is None else about | {"points": points})
