"""Every notebook of the course, as shipped and as solved, runs and shows what is stored in it."""

import ast
import importlib
import operator
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from offline import can_be_cut_off, without_network
from solving import solved

from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.notebook import find, is_open, of_course, parse
from optim_lessons.course.publish import NOTEBOOK_BYTES, as_bytes, read, tidy
from optim_lessons.lab.shipped import shipped

NOTEBOOKS = sorted(shipped("notebooks").glob("*.ipynb"))
FIRST = {"00_start_here", "01_gradient_descent"}


def every_notebook(*marks_of_first):
    """Parametrize a test by notebook; those of the first two lessons get marks."""
    params = [pytest.param(path, marks=marks_of_first if path.stem in FIRST else ()) for path in NOTEBOOKS]
    return pytest.mark.parametrize("path", params, ids=lambda path: path.stem)


# What these say depends on the answers, so a solved notebook may show something else there.
ABOUT_ANSWERS = {"check", "progress", "reveal"}


def calls(source):
    """Return the calls of plain names in a cell: (name, first argument or None, line of the statement)."""
    return [
        (node.func.id, getattr(node.args[0], "value", None) if node.args else None, statement)
        for statement in parse(source)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def exercises_of(path):
    return [exercise for exercise in EXERCISES.values() if exercise.id[:2] == path.stem[:2]]


# Without other plugins, and without a grammar of addresses for which jsonschema compiles a second long.
PYTEST = "import sys, pytest; sys.modules['rfc3987_syntax'] = None; sys.exit(pytest.main())"
OPTIONS = ["-p", "nbval.plugin", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=300"]


def run(notebook, folder):
    """Run a notebook through nbval, in a folder of its own; return its exit status and what it said.

    It runs without a network where the system can take it away.
    """
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "lesson.ipynb").write_bytes(as_bytes(notebook))
    command = [sys.executable, "-c", PYTEST, *OPTIONS, "-p", "no:cacheprovider", "-q", "lesson.ipynb"]
    if can_be_cut_off():
        command = without_network(command)
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    return done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def driven(notebook):
    """Return the notebook with a last cell that drives all its explorers."""
    calls_of_explore = [
        call for cell in code_cells(notebook) for call in calls(cell.source) if call[0] == "explore"
    ]
    drive = f"""\
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from drive import drive_all
assert drive_all() == {len(calls_of_explore)}"""
    cell = nbformat.v4.new_code_cell(drive, execution_count=len(code_cells(notebook)) + 1)
    return nbformat.from_dict(notebook | {"cells": [*notebook.cells, cell]})


def assert_runs(notebook, folder):
    status, said = run(notebook, folder)
    assert status == 0, said
    assert f"\n{len(code_cells(notebook))} passed" in said, said


def answered(notebook, lesson, exercises=None):
    """Return the solved notebook, made so that nbval fails it where a check does not say that it is right.

    The stored outputs of cells that are, or speak about, answers are not compared; all others are.
    """
    result = solved(notebook, lesson, exercises)
    for before, cell in zip(notebook.cells, result.cells, strict=True):
        if cell.cell_type != "code":
            continue
        about_answers = [call for call in calls(cell.source) if call[0] in ABOUT_ANSWERS]
        if about_answers or cell.source != before.source:
            cell.metadata["tags"] = ["nbval-ignore-output"]
        lines = cell.source.splitlines()
        for name, _, statement in reversed(about_answers):
            if name == "check" and isinstance(statement, ast.Expr):
                first, last = statement.lineno - 1, statement.end_lineno
                call = "\n".join(lines[first:last])
                lines[first:last] = [f"_verdict = ({call})", "assert _verdict, _verdict"]
        cell.source = "\n".join(lines)
    return result


def with_answers_at_its_end(notebook, lesson, exercises=None):
    """Return the notebook as shipped, after whose last cell every exercise is answered and checked."""
    pairs = zip(notebook.cells, answered(notebook, lesson, exercises).cells, strict=True)
    answers = [cell for before, cell in pairs if cell.source != before.source]
    for count, cell in enumerate(answers, len(code_cells(notebook)) + 1):
        cell.id, cell.outputs, cell.execution_count = f"answer-{count}", [], count
    return nbformat.from_dict(notebook | {"cells": [*notebook.cells, *answers]})


@every_notebook()
def test_a_notebook_shows_what_is_stored_its_sliders_draw_sound_pictures_and_its_checks_take_the_answers(
    path, tmp_path
):
    assert_runs(with_answers_at_its_end(driven(read(path.read_bytes())), path.stem), tmp_path)


# The same for every lesson, in other rounding: test_nudges.py, in the slow suite.
@pytest.mark.essential
def test_a_solved_notebook_runs_every_check_says_right_and_all_else_is_as_stored(tmp_path):
    path = NOTEBOOKS[0]
    assert_runs(answered(read(path.read_bytes()), path.stem), tmp_path)


@every_notebook(pytest.mark.essential)
def test_a_notebook_in_git_is_as_publishing_leaves_it(path):
    data = path.read_bytes()
    assert as_bytes(tidy(read(data))) == data, f"run optim-lessons publish {path}"
    assert len(data) <= NOTEBOOK_BYTES


@every_notebook(pytest.mark.essential)
def test_a_notebook_shows_no_path_of_the_machine_it_ran_on(path):
    text = re.sub(r'"image/[a-z+]+": "[^"]*"', "", path.read_text(encoding="utf-8"))
    here = "|".join(re.escape(str(place)) for place in (Path.cwd(), Path.home(), sys.prefix))
    found = re.search(rf"site-packages|[/\\](home|Users|tmp|var)[/\\]\w|{here}", text)
    assert not found, text[found.start() - 80 : found.end() + 80]


@every_notebook(pytest.mark.essential)
def test_code_cells_are_short_and_each_is_announced_by_a_sentence(path):
    cells = nbformat.read(path, as_version=4).cells
    lengths = [
        sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in cell.source.splitlines())
        for cell in cells
        if cell.cell_type == "code"
    ]
    assert statistics.median(lengths) <= 5
    assert max(lengths) <= 12
    kinds = ["code", "code", *(cell.cell_type for cell in cells)]
    for place, cell in enumerate(cells):
        if cell.cell_type == "code":
            assert "markdown" in kinds[place : place + 2], f"nothing announces cell {place}:\n{cell.source}"


@every_notebook(pytest.mark.essential)
def test_every_exercise_of_a_lesson_is_open_in_its_notebook_and_checked_by_its_name(path):
    notebook = read(path.read_bytes())
    checked = {
        first for cell in code_cells(notebook) for name, first, _ in calls(cell.source) if name == "check"
    }
    assert checked == {exercise.id for exercise in exercises_of(path)}
    for exercise in exercises_of(path):
        cell, statement = find(notebook, exercise.name)
        assert is_open(statement), f"{exercise.id} is answered in the shipped notebook:\n{cell.source}"


def imported(notebook):
    """Return name → what it stands for, of what the cells of a notebook import from the course."""
    found = {}
    for node in (
        node for cell in code_cells(notebook) for node in ast.walk(ast.Module(parse(cell.source), []))
    ):
        if isinstance(node, ast.ImportFrom) and of_course(node.module):
            for name in node.names:
                module = importlib.import_module(node.module)
                whole = f"{node.module}.{name.name}"
                found[name.asname or name.name] = (
                    getattr(module, name.name)
                    if hasattr(module, name.name)
                    else importlib.import_module(whole)
                )
    return found


@every_notebook()
def test_what_prose_and_exercises_name_of_a_module_is_there(path):
    notebook = read(path.read_bytes())
    known, gone = imported(notebook), []
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    for exercise in exercises_of(path):
        texts += [exercise.task, exercise.hint, *(m.text + m.hint for m in exercise.mistakes)]
    for code in re.findall(r"`([^`\n]+)`", "\n".join(texts)):
        for head, rest in re.findall(r"\b([A-Za-z_]\w*)\.([A-Za-z_][\w.]*)", code):
            if head in known or head == "picture":
                try:
                    operator.attrgetter(rest.rstrip("."))(known[head])
                except (KeyError, AttributeError):
                    gone.append(f"{head}.{rest}")
    assert not gone


def test_every_exercise_belongs_to_a_notebook_that_is_there_or_to_a_lesson_still_to_come():
    lessons = {path.stem[:2] for path in NOTEBOOKS}
    assert {"00", "01"} <= lessons
    assert {exercise.id[:2] for exercise in EXERCISES.values()} >= {"00", "01"} & lessons


# The machinery itself: a small lesson, right and then broken in each way that has to be seen.

CHECK = """\
def check(id, answer):
    return answer == 4"""
TABLE = {"01.four": SimpleNamespace(id="01.four", name="four", solution="four = 2 + 2")}


def small_lesson(*, shown="'same'\n", solution_dependent=False):
    """Return a published notebook with an exercise that is checked, and one printed line."""
    outputs = {
        "four = ...": [],
        "check('01.four', four)": [("execute_result", "False")],
        "print(four)" if solution_dependent else "print(repr('same'))": [("stream", shown)],
    }
    cells = [nbformat.v4.new_code_cell(CHECK)]
    for source, stored in outputs.items():
        cells.append(nbformat.v4.new_code_cell(source))
        for kind, text in stored:
            content = {"text": text} if kind == "stream" else {"data": {"text/plain": text}}
            cells[-1].outputs.append(nbformat.v4.new_output(kind, **content))
    for count, cell in enumerate(cells, 1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return tidy(nbformat.v4.new_notebook(cells=cells))


def test_the_small_lesson_runs_as_shipped_and_as_solved(tmp_path):
    (tmp_path / "solved").mkdir()
    assert_runs(with_answers_at_its_end(small_lesson(), "01", TABLE), tmp_path)
    assert_runs(answered(small_lesson(), "01", TABLE), tmp_path / "solved")


def test_an_output_that_differs_from_the_stored_one_fails(tmp_path):
    status, said = run(small_lesson(shown="'other'\n"), tmp_path)
    assert status == 1
    assert "1 failed, 3 passed" in said


@pytest.mark.parametrize("form", [answered, with_answers_at_its_end])
def test_a_solution_that_its_check_refuses_fails(form, tmp_path):
    wrong = {"01.four": SimpleNamespace(id="01.four", name="four", solution="four = 5")}
    status, said = run(form(small_lesson(), "01", wrong), tmp_path)
    assert status == 1
    assert "AssertionError: False" in said


def test_an_output_that_changes_with_the_answers_fails_in_the_solved_notebook(tmp_path):
    lesson = small_lesson(shown="Ellipsis\n", solution_dependent=True)
    status, said = run(answered(lesson, "01", TABLE), tmp_path)
    assert status == 1
    assert "1 failed, 3 passed" in said
