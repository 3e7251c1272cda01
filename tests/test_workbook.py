import os
import threading
from typing import NamedTuple

import nbformat
import pytest
from solving import solved

from optim_lessons.course.copies import workbook
from optim_lessons.course.copies.workbook import default_folder, write_new


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


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
    with pytest.raises(LookupError, match="no cell of the notebook defines rule"):
        solved(notebook_of("def f():\n    rule = ..."), "01", table(("01.rule", "rule", "rule = 3")))
