"""Each number and each claim in a lesson's prose is carried by an output, a test or a stated reason."""

import json

import pytest

from optim_lessons.course import audit
from optim_lessons.course.cli import main
from optim_lessons.lab.shipped import shipped

NOTEBOOKS = sorted(shipped("notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_in_a_lessons_prose_is_carried_by_nothing(path):
    marks, wrong = audit.audit(path)
    assert [f"{mark.cell}: {mark.words}: {mark.sentence}" for mark in marks if not mark.carried_by] == []
    assert wrong == []


@pytest.fixture
def lesson(tmp_path):
    """Return a function that writes a small lesson, its outputs and its list, and returns what audit says."""

    def write(prose, shown="", reasons="", tests="", code="go(lr=0.3)"):
        for folder in ("notebooks", "tests/prose", "optim_lessons/course/exercises"):
            (tmp_path / folder).mkdir(parents=True)
        output = {"output_type": "stream", "name": "stdout", "text": shown}
        cells = [
            {"cell_type": "markdown", "id": "text", "metadata": {}, "source": prose},
            {
                "cell_type": "code",
                "id": "run",
                "metadata": {},
                "source": code,
                "execution_count": 1,
                "outputs": [output],
            },
        ]
        path = tmp_path / "notebooks" / "01_small.ipynb"
        path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        (tmp_path / "tests/prose/01_small.txt").write_text(reasons, encoding="utf-8")
        (tmp_path / "tests/test_lesson_01.py").write_text(tests, encoding="utf-8")
        marks, wrong = audit.audit(path)
        return {mark.words: mark.carried_by for mark in marks}, wrong

    audit.sources.cache_clear()
    audit.known_tests.cache_clear()
    return write


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("7%", "7.4%"),
        ("7 per cent", "share 0.0738"),
        ("2,500", "2500"),
        ("1.3e-05", "1.26e-05"),
        ("0.0738", "0.0738"),
        ("twelve", "12 seeds"),
    ],
)
def test_a_number_is_carried_by_an_output_with_the_same_rounding(lesson, said, shown):
    marks, _ = lesson(f"It takes {said} of them.", shown)
    assert marks == {said: ["output of run"]}


@pytest.mark.parametrize(
    ("said", "shown"),
    [("7%", "7.6"), ("7.4", "7"), ("7.4", "7.46"), ("0.05", "0.5"), ("1,250", "1253"), ("twelve", "120")],
)
def test_a_number_that_rounds_to_something_else_carries_nothing(lesson, said, shown):
    marks, _ = lesson(f"It takes {said} of them.", shown)
    assert marks == {said: []}


def test_code_and_tests_carry_numbers_too(lesson):
    marks, _ = lesson("The lr is 0.3, the limit 1.9.", tests="assert limit == 1.9")
    assert marks == {"0.3": ["code of run"], "1.9": ["tests/test_lesson_01.py"]}


@pytest.mark.parametrize("shown", ["AdaGrad wins in 2 of 3", "Here 2 of 3 runs, there 3 of 4"])
def test_two_of_three_is_carried_by_an_output_that_says_so(lesson, shown):
    assert lesson("It wins in two of the three.", shown)[0] == {"two of the three": ["output of run"]}


@pytest.mark.parametrize("shown", ["2, 3", "3 of 2", "12 of 3", "2 of 30"])
def test_two_of_three_is_not_carried_by_other_numbers(lesson, shown):
    assert lesson("It wins in two of three.", shown)[0] == {"two of three": []}


@pytest.mark.parametrize(
    ("said", "code", "carried"),
    [
        ("four learning rates", "for lr in (1, 2, 3, 4):\n    go(lr)", True),
        ("three learning rates", "for lr in (1, 2, 3, 4):\n    go(lr)", False),
        ("three seeds", "go(range(3))", True),
        ("two seeds", "go(range(3))", False),
    ],
)
def test_few_learning_rates_are_counted_in_the_code_close_by(lesson, said, code, carried):
    assert lesson(f"We try {said}.", code=code)[0] == {said: ["code of run"] if carried else []}


@pytest.mark.parametrize("word", ["never", "Twice", "at most", "all", "ten times", "a third", "half of"])
def test_a_claim_is_carried_by_its_line_in_the_list_alone(lesson, word):
    marks, wrong = lesson(f"It is {word} the others. Only once.", word, f"text | only; {word} | so\n")
    assert marks == {word.lower(): ["so"], "only": ["so"]}
    assert wrong == []


def test_a_sentence_that_announces_a_code_cell_is_carried_by_it(lesson):
    assert lesson("It never ends. Now all of them:")[0] == {"never": [], "all": ["announces run"]}


def test_a_word_that_comes_again_in_the_same_cell_needs_its_own_entry(lesson):
    reasons = "text | never; only | test_so\n"
    marks, _ = lesson("It never ends. It never begins.", reasons=reasons, tests="def test_so(): ...\n")
    assert marks == {"never": []}  # the second; the list has room for one


@pytest.mark.parametrize(
    "reasons",
    ["text | never | test_gone\n", "text | never |\n", "text | never; always | so\n", "gone | never | so\n"],
)
def test_a_list_that_names_no_test_gives_no_reason_or_speaks_of_what_is_gone_is_wrong(lesson, reasons):
    assert lesson("It never ends.", reasons=reasons)[1]


def test_questions_formulas_code_quotations_and_sources_claim_nothing(lesson):
    prose = """\
# 77 things
> It **always** takes 77 steps.

Is it never so? In section 77 (1951) they said "never"; see `all(77)` and $77^{77}$, so far. Half a wave.

**Sources.** All 77 of them."""
    assert lesson(prose) == ({}, [])


def test_the_command_fails_for_what_nothing_carries_and_says_which_line_is_lacking(lesson, tmp_path, capsys):
    lesson("It never takes 77 steps.")
    path = tmp_path / "notebooks" / "01_small.ipynb"
    before = path.read_bytes()
    assert main(["audit", str(path)]) == 1
    assert "text | 77; never |" in capsys.readouterr().out
    assert path.read_bytes() == before
    (tmp_path / "tests/prose/01_small.txt").write_text("text | 77; never | test_it\n", encoding="utf-8")
    (tmp_path / "tests/test_lesson_01.py").write_text("def test_it(): ...\n", encoding="utf-8")
    audit.known_tests.cache_clear()
    assert main(["audit", str(path)]) == 0
