"""The list of what changed names every cell that is new, changed or gone, under its heading."""

import time

import pytest
from small_course import FIRST, SECOND

from optim_lessons.course.copies.changes import as_markdown, changes, describe
from optim_lessons.course.copies.damage import content
from optim_lessons.course.copies.editions import Cell, cells_of
from optim_lessons.course.copies.workbook import lessons, pristine


def cells(entries):
    kinds = {True: "markdown", False: "code"}
    return [Cell(i, kinds[text.startswith(("#", "Text", "**"))], text) for i, text in entries.items()]


def told(old, new):
    return [(change.kind, change.section, change.cell) for change in changes(cells(old), cells(new))]


def test_new_changed_and_gone_cells_stand_under_their_headings_in_the_order_of_the_page():
    assert told(FIRST, SECOND) == [
        ("changed", "1 · The part", "the text “1 · The part”"),
        ("gone", "1 · The part", "the text “Text that the next edition does not have.”"),
        ("new", "2 · More", "the text “2 · More”"),
    ]


def test_the_same_cells_in_another_order_or_with_other_ids_are_no_change():
    assert told(FIRST, dict(reversed(FIRST.items()))) == []
    assert told(FIRST, {f"{i}-x": text for i, text in FIRST.items()}) == []


def test_a_cell_that_changed_a_little_is_known_without_its_id_and_with_it_however_it_changed():
    old = {"a": "Text about a ball that rolls down into a valley and remembers.", "b": "x = 1"}
    little = {"c": "Text about a ball that rolls down into a ravine and remembers.", "b": "x = 1"}
    assert [kind for kind, *_ in told(old, little)] == ["changed"]
    assert [kind for kind, *_ in told(old, old | {"a": "Text, new throughout: 12345."})] == ["changed"]
    other = {"c": "Text, new throughout: 12345.", "b": "x = 1"}
    assert sorted(kind for kind, *_ in told(old, other)) == ["gone", "new"]


def test_code_and_text_are_never_taken_for_one_another():
    assert sorted(kind for kind, *_ in told({"a": "# x = 1"}, {"a": "x = 1"})) == ["gone", "new"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("guess = ...", "the exercise `guess`"),
        ("def my_rule(w, g): ...", "the exercise `my_rule`"),
        ("\nx = 1\ny = 2", "the code `x = 1`"),
        ("## 3 · A `title`\nmore", "the text “3 · A 'title'”"),
        ("#", "the text “”"),
        ("Text " * 30, "the text “" + ("Text " * 30)[:59] + "…”"),
        ("%%time\nx = ...", "the code `%%time`"),
    ],
)
def test_a_cell_is_told_by_its_exercise_or_its_beginning(text, said):
    assert describe(cells({"a": text})[0]) == said


def test_the_markdown_shows_the_lines_that_differ_and_fences_of_the_text_do_not_end_it():
    old = {"a": "# Title", "b": "Text one\n```\ncode\n```\nsame"}
    text = as_markdown(changes(cells(old), cells(old | {"b": "Text two\n```\ncode\n```\nsame"})))
    assert "## Title\n\n- changed: the text “Text one”" in text or "the text “Text two”" in text
    assert "  ~~~~diff\n  - Text one\n  + Text two\n  ~~~~" in text
    assert "same" not in text


@pytest.mark.parametrize("lesson", lessons())
def test_shipped_lessons_have_headings_and_a_list_of_another_lesson_takes_no_second(lesson):
    mine = cells_of(content(pristine(lesson)))
    assert changes(mine, mine) == []
    other = next(name for name in lessons() if name != lesson)
    begun = time.process_time()
    found = changes(cells_of(content(pristine(other))), mine)
    assert time.process_time() - begun < 4  # the worst case: no cell is the same
    assert len({change.section for change in found}) > 3


def test_a_dollar_a_backtick_and_an_empty_line_do_not_break_the_list():
    text = as_markdown(changes([], cells({"a": "Text with `code` and $x$\n\nmore", "b": "x = '`'"})))
    assert "- new: the text “Text with 'code' and $x$”" in text
    assert "- new: the code `x = '''`" in text
