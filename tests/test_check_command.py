"""`optim-lessons check`: the answers count, and nothing else that happened to the notebook."""

import ast
import json
import random

import nbformat
import pytest
import solving
from graders import ISOLATES

from optim_lessons.course import check_command
from optim_lessons.course.check import check
from optim_lessons.course.cli import main
from optim_lessons.course.copies import workbook
from optim_lessons.course.notebook import NoNotebook, Notebook, bound, content, find, helpers, parse
from optim_lessons.course.publish import as_bytes, read
from optim_lessons.course.sandbox.box import Limits
from optim_lessons.course.sandbox.walls import namespaces, trusted
from optim_lessons.course.submission import exercises_of, judge_notebook
from optim_lessons.lab.shipped import shipped

LESSON = "01_gradient_descent"


def lesson(answers=(), name=LESSON):
    """Return a shipped notebook as JSON, some of its answers replaced: name of the exercise → cell."""
    notebook = read((shipped("notebooks") / f"{name}.ipynb").read_bytes())
    for answer, source in dict(answers).items():
        find(notebook, answer)[0].source = source
    return notebook


def solved(name=LESSON, answers=()):
    notebook = solving.solved(lesson(name=name), name)
    for answer, source in dict(answers).items():
        find(notebook, answer)[0].source = source
    return notebook


def states(notebook, **options):
    """Return exercise's name → (state, mistake)."""
    data = notebook if isinstance(notebook, bytes) else as_bytes(notebook)
    _, results = judge_notebook(data, Limits(), **options)
    return {result.name: (result.state, result.mistake) for result in results}


MIXED = {
    "my_gradient_descent": "def my_gradient_descent(w, g, *, lr=0.01):\n    return w + lr * g",
    "largest_lr": "largest_lr = 0.025",
    "ravine_guess": "ravine_guess = ...",
}
EXPECTED = {e.name: ("right", None) for e in exercises_of(LESSON)} | {
    "my_gradient_descent": ("wrong", "climbs"),
    "largest_lr": ("wrong", "one-over-L"),
    "ravine_guess": ("open", None),
}


def test_every_answer_gets_the_verdict_that_its_check_cell_gives():
    verdict = check("01.largest_lr", 0.025)
    assert verdict.mistake == EXPECTED["largest_lr"][1]
    assert states(solved(answers=MIXED)) == EXPECTED


def _shuffled(notebook):
    random.Random(3).shuffle(notebook.cells)


def _only_answers(notebook):
    names = {e.name for e in exercises_of(LESSON)}
    notebook.cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and any(names & bound(s) for s in parse(cell.source))
    ]


def _edited_checks(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.startswith("check("):
            cell.source = "check = lambda *a: True\nfrom os import _exit as EXERCISES"


def _broken_others(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code" and "import" in cell.source:
            cell.source = "this is no Python ("


def _magics(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code" and "=" in cell.source and "import" not in cell.source:
            cell.source = "%%time\n!ls\n" + cell.source + "\nprint?"


def _called_at_once(notebook):
    for exercise in exercises_of(LESSON):
        cell, _ = find(notebook, exercise.name)
        cell.source += f"\ncheck({exercise.id!r}, {exercise.name})\nexplore(1)\n1 / 0"


@pytest.mark.parametrize(
    "change", [_shuffled, _only_answers, _edited_checks, _broken_others, _magics, _called_at_once]
)
def test_what_happened_to_the_other_cells_has_no_effect(change):
    notebook = solved(answers=MIXED)
    change(notebook)
    assert states(notebook) == EXPECTED


def _old_format(content):
    cells = [
        {"cell_type": c["cell_type"], "input": c["source"], "language": "python"}
        for c in content["cells"]
        if c["cell_type"] == "code"
    ]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}


def _stripped(content):
    return {"cells": [{"cell_type": c["cell_type"], "source": c["source"]} for c in content["cells"]]}


@pytest.mark.parametrize("change", [_old_format, _stripped])
def test_stripped_metadata_and_old_formats_have_no_effect(change):
    content = json.loads(as_bytes(solved(answers=MIXED)))
    assert states(json.dumps(change(content)).encode()) == EXPECTED


def test_windows_line_ends_and_a_byte_order_mark_have_no_effect():
    notebook = solved(answers=MIXED)
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", "\r\n")
    data = as_bytes(notebook).replace(b"\n", b"\r\n")
    assert states(b"\xef\xbb\xbf" + data) == EXPECTED


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("largest_lr", "largest_lr = 0.0499"),
        ("largest_lr", "from fractions import Fraction\nlargest_lr = Fraction(1, 20)"),
        ("largest_lr", "curvature = 40\nlargest_lr = 2 / curvature"),
        ("largest_lr", "largest_lr: float = np.float32(0.05)"),
        ("largest_lr", "a, largest_lr = 1, 0.05"),
        ("largest_lr", "from optim_lessons.gradient_descent import largest_stable_lr as f\n"
         "largest_lr = f(40)"),
        ("good_lr", "good_lr = 0.44"),
        ("good_lr", "good_lr = 0.46"),
        ("good_lr", "good_lr = max(x for x in np.linspace(0.4, 0.46, 7) if d2l(path(gradient_descent, "
         "d2l.grad, d2l.start, 20, lr=x))[-1] < 0.065)"),
        ("diagnosis", 'diagnosis = {}\ndiagnosis["A"] = "Ravine"\ndiagnosis.update(B="wrong-sign", '
         'C="lr too small", D="LR too large")'),
        ("my_gradient_descent", "my_gradient_descent = lambda w, g, *, lr=0.01: w - np.multiply(g, lr)"),
        ("my_gradient_descent", "import warnings\ndef my_gradient_descent(w, g, *, lr=0.01):\n"
         "    warnings.warn('look')\n    print('here')\n    return w - lr * g"),
    ],
)  # fmt: skip
def test_a_right_answer_in_other_words_passes(name, source):
    assert states(lesson({name: source}))[name] == ("right", None)


def test_an_answer_may_lean_on_a_helper_in_a_cell_of_the_learners_own():
    notebook = lesson({"largest_lr": "largest_lr = limit(CURVATURE)"})
    cells = ["def limit(c):\n    return TWO / c", "CURVATURE = 40.0", "TWO = 2"]
    notebook.cells = [*read_new(cells), *notebook.cells]
    assert states(notebook)["largest_lr"] == ("right", None)


def read_new(sources):
    return [nbformat.v4.new_code_cell(source) for source in sources]


def test_the_last_answer_that_is_given_counts():
    notebook = lesson({"largest_lr": "largest_lr = 0.025"})
    notebook.cells = [*notebook.cells, *read_new(["largest_lr = 0.05", "largest_lr = ..."])]
    assert states(notebook)["largest_lr"] == ("right", None)


@pytest.mark.parametrize(
    ("body", "state"),
    [("...", ("open", None)), ("w - lr * g", ("wrong", "returns-nothing")),
     ("if w.ndim == 1:\n        return w - lr * g", ("wrong", "returns-nothing"))],
)  # fmt: skip
def test_a_function_that_returns_nothing_is_open_only_if_nothing_is_in_it(body, state):
    source = f"def my_gradient_descent(w, g, *, lr=0.01):\n    {body}\n"
    assert states(lesson({"my_gradient_descent": source}))["my_gradient_descent"] == state


def test_the_courses_own_rule_is_no_answer():
    for source in (
        "from optim_lessons.gradient_descent import gradient_descent as my_gradient_descent",
        "my_gradient_descent = gradient_descent",
        "def my_gradient_descent(w, g, *, lr=0.01):\n    return gradient_descent(w, g, lr=lr)",
    ):
        state, mistake = states(lesson({"my_gradient_descent": source}))["my_gradient_descent"]
        assert (state, mistake) == ("error", "raised")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_library as my_gradient_descent", "with the course's libraries only"),
        ("from optim_lessons.adam import adam as my_gradient_descent", "answers are not: do without them"),
    ],
)
def test_an_import_that_fails_is_told_by_what_was_asked_for(source, said):
    _, results = judge_notebook(as_bytes(lesson({"my_gradient_descent": source})), Limits())
    assert said in next(r for r in results if r.name == "my_gradient_descent").text


def test_a_cell_that_is_no_python_is_told_with_its_line():
    data = as_bytes(lesson({"largest_lr": "x = 1\nlargest_lr = = 2"}))
    _, results = judge_notebook(data, Limits())
    result = next(r for r in results if r.name == "largest_lr")
    assert result.state == "error"
    assert "SyntaxError" in result.text
    assert "line 2" in result.text


def test_the_lessons_own_definition_counts_whatever_the_learner_made_of_it():
    pristine = Notebook(["import numpy as np", "x = np.pi", "answer = ..."])
    learners = Notebook(["np = 3", "x = 4", "mine = x", "answer = mine + x"])
    found = helpers("answer", learners, pristine, ["answer"])
    assert [ast.unparse(s) for s in found] == ["import numpy as np", "x = np.pi", "mine = x"]


def test_a_file_that_is_no_notebook_is_named_as_such():
    for data in (
        b"",
        b"{",
        b"[]",
        b"[1, 2]",
        b'{"cells": 3}',
        b'{"cells": [{"source": "x = 1"}]}',
        b"\xff\xfe",
        b'{"cells": [{"cell_type": "code"',
        b"[" * 99999,
    ):
        with pytest.raises(NoNotebook, match=r"its JSON is broken|it is JSON, but no notebook") as said:
            content(data)
        assert "Error" not in str(said.value)
        assert "cut off" not in str(said.value)


# The command


@pytest.fixture
def copy(tmp_path):
    (tmp_path / f"{LESSON}.ipynb").write_bytes(as_bytes(solved(answers=MIXED)))
    return tmp_path


@pytest.mark.parametrize("wanted", [["1"], ["gradient_descent"], []])
def test_the_command_prints_a_line_for_each_answer_and_a_count(copy, capsys, wanted):
    before = (copy / f"{LESSON}.ipynb").read_bytes()
    assert main(["check", "--folder", str(copy), *wanted]) == 1
    out = capsys.readouterr().out
    assert "✓ 01.double_curvature  right" in out
    assert "✗ 01.gradient_descent  climbs\n    You add the gradient" in out
    assert "○ 01.predict_ravine    not done yet" in out
    assert "6 of 9 right, 1 not done yet" in out
    assert (copy / f"{LESSON}.ipynb").read_bytes() == before
    assert [path.name for path in copy.iterdir()] == [f"{LESSON}.ipynb"]


def test_a_path_works_whatever_the_file_is_called(tmp_path, capsys):
    path = tmp_path / "my try.ipynb"
    path.write_bytes(as_bytes(solved("00_start_here")))
    assert main(["check", str(path)]) == 0
    assert "3 of 3 right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["99"], "there is no lesson '99'"),
        (["./missing.ipynb"], "there is no file './missing.ipynb'"),
        (["1"], "Open it first with `optim-lessons 01`"),
        ([], "Open the course first with `optim-lessons`"),
    ],
)
def test_what_cannot_be_checked_is_told_with_what_to_do(tmp_path, capsys, arguments, said):
    assert main(["check", "--folder", str(tmp_path), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_broken_notebook_does_not_keep_the_others_from_being_checked(copy, capsys):
    (copy / "00_start_here.ipynb").write_bytes(b'{"cells": [')
    assert main(["check", "--folder", str(copy)]) == 2
    said = capsys.readouterr()
    assert "00_start_here.ipynb: it is no whole notebook" in said.err
    assert "6 of 9 right" in said.out


@pytest.mark.parametrize("name", [n for n in workbook.lessons() if exercises_of(n)])
@pytest.mark.parametrize("walls", [trusted, pytest.param(namespaces, marks=pytest.mark.slow)])
def test_every_solved_lesson_is_right_and_every_shipped_one_is_open(name, walls):
    if walls is namespaces and not ISOLATES:
        pytest.skip("this system has no namespaces")
    assert set(states(solved(name), walls=walls).values()) == {("right", None)}
    assert set(states(lesson(name=name), walls=walls).values()) == {("open", None)}


def test_the_word_for_an_answer_names_its_mistake():
    assert check_command.in_a_word("wrong", "climbs") == "climbs"
    assert check_command.in_a_word("wrong", None) == "not right"
    assert check_command.in_a_word("error", "raised") == "does not run"
