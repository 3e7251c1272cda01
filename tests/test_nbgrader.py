"""`optim-lessons nbgrader`: nbgrader's own commands run in its folder, and give the table's points."""

import contextlib
import copy
import csv
import importlib.util
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from graders import GRADE
from running_lab import private_environment
from solving import solved

from optim_lessons.course import publish
from optim_lessons.course.cli import main
from optim_lessons.course.copies import workbook
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.notebook import find, leading_to
from optim_lessons.course.submission import exercises_of
from optim_lessons.lab.shipped import shipped
from optim_lessons.teaching import nbgrader_course

FIRST, SECOND = "00_start_here", "01_gradient_descent"
REGION = re.compile(r"^### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)^### END \1\n?", re.MULTILINE | re.DOTALL)


def read(path):
    return nbformat.read(path, as_version=4)


def notebook_in(folder, step, lesson):
    return read(folder / step / lesson / f"{lesson}.ipynb")


def points_of(lesson):
    return sum(exercise.points for exercise in exercises_of(lesson))


def about(notebook):
    """Return grade_id → (nbgrader's metadata, source) of a notebook's cells."""
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    found = {cell.metadata.nbgrader.grade_id: (cell.metadata.nbgrader, cell.source) for cell in cells}
    assert len(found) == len(cells), "a grade_id stands twice"
    return found


def as_shipped(lesson):
    """Return the sources of a shipped lesson, with links as a folder for each lesson needs them."""
    return [
        re.sub(r"\]\((\d\d_\w+)\.ipynb", r"](../\1/\1.ipynb", cell.source)
        for cell in read(shipped("notebooks") / f"{lesson}.ipynb").cells
    ]


# What is written


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a course folder with every lesson, as the command writes it."""
    folder = tmp_path_factory.mktemp("whole") / "a course"
    assert main(["nbgrader", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("lesson", workbook.lessons())
def test_every_exercise_has_its_solution_and_a_locked_check_with_the_points_of_the_table(whole, lesson):
    notebook = notebook_in(whole, "source", lesson)
    nbformat.validate(notebook)
    cells = about(notebook)
    for exercise in exercises_of(lesson):
        id = exercise.id.replace(".", "_")
        answer, source = cells.pop(f"{id}_answer")
        assert (answer.solution, answer.grade, answer.schema_version) == (True, False, 3)
        assert exercise.solution.strip() in REGION.search(source)[2]
        check, source = cells.pop(id)
        assert (check.solution, check.grade, check.locked, check.schema_version) == (False, True, True, 3)
        assert check.points == exercise.points
        assert "assert verdict" in REGION.search(source)[2]
    assert not cells


@pytest.mark.parametrize("lesson", workbook.lessons())
def test_without_the_regions_that_nbgrader_removes_every_lesson_reads_as_it_is_shipped(whole, lesson):
    notebook = notebook_in(whole, "source", lesson)
    assert [REGION.sub("", cell.source).rstrip("\n") for cell in notebook.cells] == as_shipped(lesson)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


def test_every_id_is_one_that_nbgrader_takes_and_stands_once_in_the_course(whole):
    ids = [id for lesson in workbook.lessons() for id in about(notebook_in(whole, "source", lesson))]
    assert len(ids) == len(set(ids)) == 2 * len(EXERCISES)
    assert all(re.fullmatch(r"[a-zA-Z0-9_\-]+", id) for id in ids)


def test_links_from_lesson_to_lesson_lead_to_files(whole):
    for path in whole.glob("source/*/*.ipynb"):
        for cell in read(path).cells:
            for link in re.findall(r"\]\(([^):#]*\.ipynb)", cell.source):
                assert (path.parent / link).is_file()


def test_only_the_lessons_that_are_asked_for_are_written(tmp_path, capsys):
    assert main(["nbgrader", str(tmp_path), "--lesson", "1,0", "--lesson", "gradient_descent"]) == 0
    assert sorted(path.name for path in (tmp_path / "source").iterdir()) == [FIRST, SECOND]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nbgrader_config.py", "source"]
    points = points_of(FIRST) + points_of(SECOND)
    assert f"lessons: 2, exercises: 12, points: {points}\n" in capsys.readouterr().out


def test_a_folder_that_is_not_empty_is_refused_and_stays_as_it_is(tmp_path, capsys):
    (tmp_path / "gradebook.db").write_text("a class's work")
    assert main(["nbgrader", str(tmp_path), "--lesson", "0"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["gradebook.db"]
    said = capsys.readouterr().err
    assert "holds 'gradebook.db' already" in said
    assert "Name a new folder" in said


def test_the_same_command_twice_keeps_what_the_first_one_wrote(tmp_path):
    assert main(["nbgrader", str(tmp_path), "--lesson", "0"]) == 0
    (tmp_path / "nbgrader_config.py").write_text("mine")
    assert main(["nbgrader", str(tmp_path), "--lesson", "0"]) == 2
    assert (tmp_path / "nbgrader_config.py").read_text() == "mine"


def test_a_file_in_the_way_is_named_and_stays(tmp_path, capsys):
    (tmp_path / "course").write_text("a file")
    assert main(["nbgrader", str(tmp_path / "course"), "--lesson", "0"]) == 2
    assert "cannot write a course" in capsys.readouterr().err
    assert (tmp_path / "course").read_text() == "a file"


def test_an_unknown_lesson_is_named_and_nothing_is_written(tmp_path, capsys):
    assert main(["nbgrader", str(tmp_path / "course"), "--lesson", "0,99"]) == 2
    assert "99" in capsys.readouterr().err
    assert not (tmp_path / "course").exists()


def test_what_fails_halfway_leaves_no_half_of_a_course(tmp_path, capsys, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["nbgrader", str(tmp_path), "--lesson", "0"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_lesson_whose_check_cell_is_another_one_is_refused_by_the_exercises_name():
    notebook = read(shipped("notebooks") / f"{FIRST}.ipynb")
    next(cell for cell in notebook.cells if cell.source.startswith("check(")).source = "check('00.other', 1)"
    with pytest.raises(LookupError, match=r"00\.first_check"):
        nbgrader_course.source_notebook(notebook, FIRST, EXERCISES)


def test_a_teacher_without_nbgrader_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "optim_lessons[teach]" in nbgrader_course.missing_programs()


def test_a_teacher_whose_path_lacks_alembic_is_told_which_folder_to_put_on_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "alembic" else name)
    assert str(Path(sys.executable).parent) in nbgrader_course.missing_programs()
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert nbgrader_course.missing_programs() == ""


# What nbgrader makes of it: a class of made-up learners

GOOD, BLANK, MISTAKEN, BROKEN, TRICKSTER = "all right", "unsolved", "mistaken", "broken", "trickster"
MISTAKES = {
    FIRST: {"slope": ("slope = 9", "height"), "wrong_end": ("wrong_end = ...", None)},
    SECOND: {
        "my_gradient_descent": (
            "def my_gradient_descent(w, g, *, lr=0.01):\n    return w + lr * g",
            "climbs",
        ),
        "largest_lr": ("largest_lr = 0.025", "one-over-L"),
        "ravine_guess": ("ravine_guess = ...", None),
    },
}
FAULTS = {
    "my_gradient_descent": "def my_gradient_descent(w, g, *, lr=0.01):\n    while True:\n        pass",
    "largest_lr": "raise RuntimeError('this cell never ran for me')",
    "good_lr": "while True:\n    pass\ngood_lr = 0.4",
}
PATCH = """
slope = 9
from optim_lessons.course import check as module
module.check = check = lambda *answer: True

from IPython.display import HTML, display
display(HTML("<script>document.title = 'theirs'</script>"))
print(open("../../../source/00_start_here/00_start_here.ipynb").read().count("### BEGIN SOLUTION"))

import sqlite3
with sqlite3.connect("../../../gradebook.db") as book:
    book.execute("create table theirs (points)")
"""
TRICKS = {"slope": PATCH, "momentum_limit": "momentum_limit = 'a'", "wrong_end": "wrong_end = 'a'"}
HANDED_IN = [
    (GOOD, FIRST, {}),
    (GOOD, SECOND, {}),
    (BLANK, FIRST, None),
    (MISTAKEN, FIRST, {name: source for name, (source, _) in MISTAKES[FIRST].items()}),
    (MISTAKEN, SECOND, {name: source for name, (source, _) in MISTAKES[SECOND].items()}),
    (BROKEN, SECOND, FAULTS),
    (TRICKSTER, FIRST, TRICKS),
]


def with_nbgrader():
    """Skip a test where nbgrader is not installed. In CI that is a broken machine, and the test fails."""
    if importlib.util.find_spec("nbgrader") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            'nbgrader is not installed: pip install -e ".[teach]"'
        )


def nbgrader(folder, *arguments, path=None):
    """Run one of nbgrader's commands in a course folder, with its programs on the PATH."""
    environment = private_environment(folder.parent / "settings")
    programs = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([programs, os.environ["PATH"]]) if path is None else path
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """Return a course folder after `nbgrader generate_assignment`."""
    with_nbgrader()
    folder = tmp_path_factory.mktemp("teacher") / "a course"
    assert main(["nbgrader", str(folder), "--lesson", "0,1"]) == 0
    for lesson in (FIRST, SECOND):
        nbgrader(folder, "generate_assignment", lesson)
    return folder


@pytest.fixture(scope="module")
def graded(released):
    """Return a course folder after the class has handed in, with grades and feedback."""
    for learner, lesson, answers in HANDED_IN:
        place = released / "submitted" / learner / lesson
        place.mkdir(parents=True)
        notebook = notebook_in(released, "release", lesson)
        if answers is not None:
            notebook = solved(notebook, lesson)
            for exercise in exercises_of(lesson):
                if exercise.name in answers:
                    find(notebook, exercise.name)[0].source = answers[exercise.name]
        if lesson == SECOND:  # the first lesson is handed in whole, the second without its pictures
            notebook.cells = leading_to(notebook, "check")
        nbformat.write(notebook, place / f"{lesson}.ipynb")
    for lesson in (FIRST, SECOND):
        nbgrader(released, "autograde", lesson, "--Execute.timeout=20")
        nbgrader(released, "generate_feedback", lesson)
    nbgrader(released, "export")
    return released


def scores(folder):
    """Return (learner, lesson) → (points, of) from nbgrader's table, of what was handed in."""
    with open(folder / "grades.csv", newline="", encoding="utf-8") as file:
        rows = {(row["student_id"], row["assignment"]): row for row in csv.DictReader(file)}
    handed_in = [(learner, lesson) for learner, lesson, _ in HANDED_IN]
    return {key: (float(rows[key]["score"]), float(rows[key]["max_score"])) for key in handed_in}


def outputs(folder, learner, lesson, id):
    """Return the outputs of a cell that nbgrader has run."""
    notebook = notebook_in(folder / "autograded", learner, lesson)
    cell = next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == id)
    return cell.outputs


@pytest.mark.slow
@pytest.mark.parametrize("lesson", [FIRST, SECOND])
def test_the_released_notebook_reads_as_it_is_shipped(released, lesson):
    notebook = notebook_in(released, "release", lesson)
    assert [cell.source.rstrip("\n") for cell in notebook.cells] == as_shipped(lesson)
    assert about(notebook).keys() == about(notebook_in(released, "source", lesson)).keys()


@pytest.mark.slow
def test_run_all_reaches_the_end_of_the_released_notebook_before_anything_is_answered(released):
    notebook = copy.deepcopy(notebook_in(released, "release", FIRST))
    publish.run(notebook)  # raises what a cell raises
    assert "Still open" in next(
        cell.outputs[0].data["text/plain"] for cell in notebook.cells if cell.source.startswith("check(")
    )


@pytest.mark.slow
def test_nbgrader_gives_the_points_of_the_table(graded):
    found = scores(graded)
    lost = {name for name in (*MISTAKES[SECOND], *MISTAKES[FIRST])}
    lost_points = {
        lesson: sum(e.points for e in exercises_of(lesson) if e.name in lost) for lesson in (FIRST, SECOND)
    }
    for lesson in (FIRST, SECOND):
        whole = points_of(lesson)
        assert found[GOOD, lesson] == (whole, whole)
        assert found[MISTAKEN, lesson] == (whole - lost_points[lesson], whole)
        assert 0 < lost_points[lesson] < whole
    assert found[BLANK, FIRST] == (0, points_of(FIRST))
    faults = sum(e.points for e in exercises_of(SECOND) if e.name in FAULTS)
    assert found[BROKEN, SECOND] == (points_of(SECOND) - faults, points_of(SECOND))


@pytest.mark.slow
def test_optim_lessons_grade_gives_the_same_points_in_the_same_folder_but_none_for_a_trick(graded, tmp_path):
    main([*GRADE, str(graded / "submitted"), "--out", str(tmp_path / "out"), "--seconds", "3"])
    with open(tmp_path / "out" / "grades.csv", newline="", encoding="utf-8-sig") as file:
        rows = {
            (r["learner"], r["lesson"]): (float(r["points"]), float(r["of"])) for r in csv.DictReader(file)
        }
    found = scores(graded)
    assert rows.pop((TRICKSTER, FIRST)) == (0, points_of(FIRST))
    del found[TRICKSTER, FIRST]
    assert rows == found


@pytest.mark.slow
def test_a_patched_check_earns_full_marks_from_nbgrader(graded):
    # This is what nbgrader does not protect against. The guide says so.
    assert scores(graded)[TRICKSTER, FIRST] == (points_of(FIRST), points_of(FIRST))


@pytest.mark.slow
def test_code_that_nbgrader_runs_reads_the_solutions_and_writes_to_the_gradebook(graded):
    shown = outputs(graded, TRICKSTER, FIRST, "00_first_check_answer")
    assert [output.text for output in shown if output.output_type == "stream"] == ["3\n"]
    with contextlib.closing(sqlite3.connect(graded / "gradebook.db")) as book:
        assert book.execute("select count(*) from theirs").fetchone() == (0,)
    page = (graded / "feedback" / TRICKSTER / FIRST / f"{FIRST}.html").read_text(encoding="utf-8")
    assert "<script>document.title = 'theirs'</script>" in page


@pytest.mark.slow
def test_a_damaged_file_and_one_of_another_name_are_zeros_in_nbgraders_table(released, tmp_path):
    course = tmp_path / "course"
    shutil.copytree(released, course, ignore=shutil.ignore_patterns("submitted", "autograded", "feedback"))
    data = (course / "release" / FIRST / f"{FIRST}.ipynb").read_bytes()
    for learner, name, content in (("torn", FIRST, data[:3000]), ("renamed", "my notebook", data)):
        place = course / "submitted" / learner / FIRST
        place.mkdir(parents=True)
        (place / f"{name}.ipynb").write_bytes(content)
    with pytest.raises(AssertionError, match="There was an error"):
        nbgrader(course, "autograde", FIRST)
    nbgrader(course, "export")
    with open(course / "grades.csv", newline="", encoding="utf-8") as file:
        rows = {(row["student_id"], row["assignment"]): row for row in csv.DictReader(file)}
    assert [rows[learner, FIRST]["score"] for learner in ("torn", "renamed")] == ["0.0", "0.0"]


@pytest.mark.slow
def test_a_lost_point_says_why_with_the_mistakes_name(graded):
    for lesson, mistakes in MISTAKES.items():
        for exercise in exercises_of(lesson):
            shown, *raised = outputs(graded, MISTAKEN, lesson, exercise.id.replace(".", "_"))
            if exercise.name not in mistakes:
                assert "Right" in shown.data["text/plain"]
                assert not raised
                continue
            name = mistakes[exercise.name][1]
            assert (raised[0].ename, raised[0].evalue) == ("AssertionError", name or "no points")
            if name:
                mistake = next(m for m in exercise.mistakes if m.name == name)
                assert mistake.text in shown.data["text/plain"]


@pytest.mark.slow
def test_feedback_holds_the_checks_words_and_still_pictures(graded):
    page = (graded / "feedback" / MISTAKEN / FIRST / f"{FIRST}.html").read_text(encoding="utf-8")
    assert "9 is the height of the loss at 3." in page
    assert "AssertionError" in page
    notebook = read(shipped("notebooks") / f"{FIRST}.ipynb")
    pictures = sum("image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", ()))
    assert page.count("data:image/png") >= pictures > 5


@pytest.mark.slow
def test_nbgrader_needs_alembic_on_the_path(released, tmp_path):
    course = tmp_path / "course"
    shutil.copytree(released / "source", course / "source")
    with pytest.raises(AssertionError, match="alembic"):
        nbgrader(course, "generate_assignment", FIRST, path=str(tmp_path))
