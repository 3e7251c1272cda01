"""Answers are carried into another edition of a lesson by name, with what they lean on."""

import json

import pytest
from small_course import FIRST, SECOND, as_bytes
from solving import solved

from optim_lessons.course.copies.carry import answered, asks
from optim_lessons.course.copies.damage import content
from optim_lessons.course.copies.workbook import lessons, pristine
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.notebook import find
from optim_lessons.course.sandbox.box import Limits
from optim_lessons.course.submission import exercises_of, judge_notebook


def carried(mine, new=SECOND):
    """Return id → source of a new edition with the answers of a notebook (id → text), and their names."""
    page, filled = answered(content(as_bytes(new)), content(as_bytes(mine)))
    return {cell["id"]: cell["source"] for cell in page["cells"]}, filled


def test_an_answers_whole_cell_takes_the_place_of_the_open_one_and_nothing_else_changes():
    mine = FIRST | {
        "rule": "step = 2  # my way\n\ndef my_rule(w, g):\n    return w - step * g  # so",
        "title": "# X",
    }
    assert carried(mine) == (SECOND | {"rule": mine["rule"]}, ["my_rule"])


def test_open_answers_of_the_learner_carry_nothing():
    assert carried(FIRST) == (SECOND, [])


def test_cells_that_moved_lost_their_ids_or_stand_below_a_magic_are_found():
    mine = {"z": "%matplotlib inline\nguess = 3", "y": "def my_rule(w, g):\n    return w", "x": "# Notes"}
    page, filled = carried(mine)
    assert filled == ["my_rule", "guess"]
    assert page["guess"] == mine["z"]


def test_what_an_answer_leans_on_comes_along_once_and_before_the_first_that_needs_it():
    help_ = "unused = 1\n\n# helpers\ndef half(x):\n    return x / two\n\ntwo = 2"
    mine = FIRST | {
        "old": help_,
        "rule": "def my_rule(w, g):\n    return half(g)",
        "guess": "guess = half(6)",
    }
    page, filled = carried(mine)
    assert filled == ["my_rule", "guess"]
    assert page["rule"] == "def half(x):\n    return x / two\ntwo = 2\n" + mine["rule"]
    assert page["guess"] == mine["guess"]


def test_an_answer_that_leans_on_another_answer_does_not_copy_it():
    mine = FIRST | {"rule": "def my_rule(w, g):\n    return w", "guess": "guess = my_rule(1, 2)"}
    page, _ = carried(mine)
    assert page["guess"] == mine["guess"]


def test_an_answer_that_is_not_python_stays_out_and_the_others_come():
    mine = FIRST | {"rule": "def my_rule(w, g)\n    return w", "guess": "guess = 3"}
    page, filled = carried(mine)
    assert filled == ["guess"]
    assert page["rule"] == SECOND["rule"]


def test_an_exercise_that_is_asked_no_more_is_left_in_the_old_file():
    new = {i: text for i, text in SECOND.items() if i != "guess"}
    assert carried(FIRST | {"guess": "guess = 3"}, new) == (new, [])


def test_outputs_that_tell_of_an_open_answer_are_cleared_and_others_stay():
    new = json.loads(as_bytes(SECOND))
    for cell in new["cells"]:
        if cell["cell_type"] == "code":
            cell |= {
                "outputs": [{"output_type": "stream", "name": "stdout", "text": "old"}],
                "execution_count": 1,
            }
    page, _ = answered(
        content(json.dumps(new).encode()), content(as_bytes(FIRST | {"rule": "def my_rule(): 1"}))
    )
    outputs = {cell["id"]: bool(cell["outputs"]) for cell in page["cells"] if cell["cell_type"] == "code"}
    assert outputs == {"imports": True, "rule": False, "check": False, "guess": True}


@pytest.mark.parametrize("lesson", [lesson for lesson in lessons() if exercises_of(lesson)])
def test_every_exercise_of_a_shipped_lesson_is_found_open_in_a_cell_of_its_own(lesson):
    found = [name for cell in content(pristine(lesson))["cells"] for name in _asked(cell)]
    assert sorted(found) == sorted(exercise.name for exercise in exercises_of(lesson))


def _asked(cell):
    return asks(cell["source"]) if cell["cell_type"] == "code" else ()


@pytest.mark.parametrize("lesson", ["01_gradient_descent", "04_momentum"])
def test_carried_answers_get_the_verdicts_that_they_had(lesson):
    from optim_lessons.course.publish import as_bytes as file_of
    from optim_lessons.course.publish import read

    learners = solved(read(pristine(lesson)), lesson)
    rule = next(e for e in exercises_of(lesson) if e.reference is not None)
    cell, _ = find(learners, rule.name)
    learners.cells[1].source, cell.source = cell.source.replace(rule.name, "helper"), f"{rule.name} = helper"
    learners.cells[1].cell_type = "code"
    learners.cells[1] |= {"outputs": [], "execution_count": None}
    page, filled = answered(content(pristine(lesson)), content(file_of(learners)))
    assert set(filled) == {e.name for e in EXERCISES.values() if e.id[:2] == lesson[:2]}
    _, results = judge_notebook(json.dumps(page).encode(), Limits(), lesson=lesson)
    assert {result.state for result in results} == {"right"}
