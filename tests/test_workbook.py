import os
import shutil
import subprocess
import sys
import threading
from typing import NamedTuple

import nbformat
import pytest

from optim_lessons.course import workbook
from optim_lessons.course.workbook import default_folder, solved, update, write_new

LESSONS = ["00_start_here", "01_gradient_descent", "08_adam"]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Put a course of three small files in the place of the shipped one and return its folder."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    for name in LESSONS:
        (notebooks / f"{name}.ipynb").write_text(f"pristine {name}")
    (notebooks / "notes.txt").write_text("no lesson")
    monkeypatch.setattr(workbook, "shipped", tmp_path.joinpath)
    return notebooks


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_working_copy_holds_every_lesson_byte_for_byte_and_nothing_else(course, tmp_path):
    folder = tmp_path / "Kurs für Zoë" / "my copy"
    assert update(folder) == LESSONS
    assert contents(folder) == {f"{name}.ipynb": f"pristine {name}" for name in LESSONS}


def test_a_second_update_adds_what_is_missing_and_touches_nothing_that_is_there(course, tmp_path):
    folder = tmp_path / "copy"
    update(folder)
    (folder / "01_gradient_descent.ipynb").write_text("my answers")
    (folder / "08_adam.ipynb").unlink()
    (folder / "notes.txt").write_text("my notes")
    (course / "00_start_here.ipynb").write_text("a new edition")
    assert update(folder) == ["08_adam"]
    assert contents(folder) == {
        "00_start_here.ipynb": "pristine 00_start_here",
        "01_gradient_descent.ipynb": "my answers",
        "08_adam.ipynb": "pristine 08_adam",
        "notes.txt": "my notes",
    }


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_at_the_last_moment_is_not_overwritten(tmp_path, monkeypatch, links):
    def no_links(source, target):
        raise OSError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "01_x.ipynb"
    assert write_new(path, b"first")
    assert not write_new(path, b"second")
    assert contents(tmp_path) == {"01_x.ipynb": "first"}


def test_of_many_writers_at_once_exactly_one_wins(tmp_path):
    path = tmp_path / "01_x.ipynb"
    won = []
    start = threading.Barrier(8)

    def write(text):
        start.wait()
        if write_new(path, text * 100_000):
            won.append(text * 100_000)

    writers = [threading.Thread(target=write, args=(str(i).encode(),)) for i in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert won == [path.read_bytes()]


KILLED = """
import os, pathlib, sys
from optim_lessons.course import workbook

root, lines_left = pathlib.Path(sys.argv[1]), int(sys.argv[2])
workbook.shipped = root.joinpath

def trace(frame, event, argument):
    global lines_left
    if frame.f_code.co_filename != workbook.__file__:
        return None
    lines_left -= event == "line"
    if lines_left < 0:
        os._exit(9)
    return trace

sys.settrace(trace)
workbook.update(root / "copy")
"""


def test_a_program_killed_at_any_line_leaves_every_lesson_whole_or_absent(course, tmp_path):
    whole = {f"{name}.ipynb": f"pristine {name}" for name in LESSONS}
    status, line = 9, 0
    while status == 9:
        command = [sys.executable, "-c", KILLED, str(tmp_path), str(line)]
        status = subprocess.run(command, check=False).returncode
        visible = {path.name: path.read_text() for path in (tmp_path / "copy").glob("[!.]*")}
        assert visible.items() <= whole.items(), f"killed before line {line}"
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        line += 2
    assert status == 0
    assert line > 20, "the program was hardly ever killed"
    assert visible == whole


def test_what_a_killed_program_left_behind_does_not_disturb_the_next_start(course, tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path), "30"]
    assert subprocess.run(command, check=False).returncode == 9
    assert list((tmp_path / "copy").glob(".*.part"))
    update(tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy").glob("[!.]*")} == {f"{name}.ipynb" for name in LESSONS}


def test_in_a_clone_the_working_copy_is_in_the_clone_and_elsewhere_in_the_current_folder(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workbook, "source_tree", lambda: tmp_path / "clone")
    assert default_folder() == tmp_path / "clone" / "course"
    monkeypatch.setattr(workbook, "source_tree", lambda: None)
    assert default_folder() == tmp_path / "optim-lessons-course"


class Exercise(NamedTuple):
    id: str
    name: str
    solution: str


def table(*exercises):
    return {exercise[0]: Exercise(*exercise) for exercise in exercises}


def notebook_of(*sources):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def sources(notebook):
    return [cell.source for cell in notebook.cells]


def test_a_solved_notebook_has_the_answers_of_its_lesson_and_every_other_line_as_it_was():
    notebook = notebook_of(
        "%matplotlib inline",
        "# your turn\ndef step(w, g, *, lr):\n    '''One step.'''\n    ...\n\ncheck('01.step', step)",
        "largest = ...",
        "other = ...",
        "print(largest, step)",
    )
    exercises = table(
        ("01.step", "step", "\n    def step(w, g, *, lr):\n        return w - lr * g\n"),
        ("01.largest", "largest", "curvature = 4\nlargest = 2 / curvature"),
        ("02.other", "other", "other = 1"),
    )
    before = sources(notebook)
    assert sources(solved(notebook, "01_gradient_descent", exercises)) == [
        "%matplotlib inline",
        "# your turn\ndef step(w, g, *, lr):\n    return w - lr * g\n\ncheck('01.step', step)",
        "curvature = 4\nlargest = 2 / curvature",
        "other = ...",
        "print(largest, step)",
    ]
    assert sources(notebook) == before


def test_the_open_answer_is_the_one_replaced_where_a_name_is_defined_twice():
    given = "@cached\ndef rule():\n    return 1"
    notebook = notebook_of("guess = 1", "guess = ...", given, "def rule(): ...")
    exercises = table(("01.guess", "guess", "guess = 2"), ("01.rule", "rule", "rule = 3"))
    assert sources(solved(notebook, "01", exercises)) == [
        "guess = 1",
        "guess = 2",
        given,
        "rule = 3",
    ]


def test_an_answer_given_already_is_replaced_with_its_decorators():
    notebook = notebook_of("@cached\n@twice\ndef rule():\n    return 1\nrule()")
    assert sources(solved(notebook, "01", table(("01.rule", "rule", "rule = 3")))) == ["rule = 3\nrule()"]


def test_an_exercise_that_its_notebook_does_not_have_is_named():
    with pytest.raises(LookupError, match=r"exercise 01\.rule: no cell of the notebook defines rule"):
        solved(notebook_of("def f():\n    rule = ..."), "01", table(("01.rule", "rule", "rule = 3")))
