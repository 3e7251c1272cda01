"""The core of a lesson is a class of 40 to 50 minutes: about 1,900 words to read, at most 6 answers to give.

A lesson's first cell says which sections are its core. It begins with section 1 and ends where the page says
so. What is marked as deeper on the way, a part or an exercise, is no part of it.
"""

import re

import pytest

from optim_lessons.course.publish import read
from optim_lessons.lab.shipped import shipped

LESSONS = [path for path in sorted(shipped("notebooks").glob("*.ipynb")) if path.stem[:2] != "00"]
WORDS, CHECKS = 1_950, 6
END = "This is the end of the core"


def core(path):
    """Return the paragraphs of a lesson's core, and the code cells that check an answer."""
    cells = read(path.read_bytes()).cells
    inside = deeper = False  # deeper: "part", up to the next heading; "exercise", up to its check
    paragraphs, checks = [], []
    for cell in cells:
        if cell.cell_type == "code":
            if inside and cell.source.startswith("check("):
                checks += [cell.source] if not deeper else []
                deeper = deeper if deeper == "part" else False
            continue
        for paragraph in re.split(r"\n\s*\n", cell.source):
            if END in paragraph:
                return [*paragraphs, paragraph], checks
            if re.match(r"#+ ", paragraph):
                inside, deeper = inside or paragraph.startswith("## 1 "), False
            if re.match(r"(### |\*\*)Deeper\b", paragraph):
                deeper = "part"
            if re.match(r"\*\*Exercise \d+ \(deeper\)", paragraph):
                deeper = deeper or "exercise"
            if inside and not deeper:
                paragraphs.append(paragraph)
    raise AssertionError(f"{path.name} nowhere says {END!r}")


def words(paragraphs):
    """Return how many words stand in a text; a formula's letters count too, its signs do not."""
    return sum(bool(re.search(r"\w", word)) for text in paragraphs for word in text.split())


every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@every_lesson
def test_a_core_can_be_read_and_answered_in_one_class(path):
    paragraphs, checks = core(path)
    assert words(paragraphs) <= WORDS
    assert len(checks) <= CHECKS


@every_lesson
def test_the_core_is_the_sections_that_the_first_cell_names(path):
    title = read(path.read_bytes()).cells[0].source
    last = re.search(r"\*\*Time:\*\* sections 1 to (\d+) are the core", title)[1]
    headings = [text for text in core(path)[0] if text.startswith("## ")]
    assert [heading.split()[1] for heading in headings] == [str(n + 1) for n in range(int(last))]


def minutes(path):
    """Return how long a lesson's first cell says that its core takes, and the minutes of its sections."""
    title = read(path.read_bytes()).cells[0].source
    said, parts = re.search(r"are the core, about (\d+) minutes([^.]*)", title).groups()
    return int(said), [int(number) for number in re.findall(r"\d+(?=[,)])", parts)]


@every_lesson
def test_the_minutes_of_a_core_add_up_and_page_00_speaks_of_them(path):
    said, parts = minutes(path)
    assert not parts or sum(parts) == said
    (start,) = [p for p in shipped("notebooks").glob("00_*.ipynb")]
    prose = "\n".join(cell.source for cell in read(start.read_bytes()).cells)
    shortest, longest = re.search(r"A lesson has a core of (\d+) to (\d+) minutes", prose).groups()
    assert int(shortest) <= said <= int(longest)


def test_a_part_that_is_marked_as_deeper_is_not_counted():
    (path,) = [path for path in LESSONS if path.stem == "06_adagrad"]
    text = "\n".join(core(path)[0])
    assert "**Write the rule.**" not in text
    assert "Write the rule." in text
    assert "in hindsight" not in text
    assert "## 4 · " in text


@every_lesson
def test_the_bridge_and_the_claims_of_a_lesson_are_at_most_a_thousand_words(path):
    paragraphs, inside = [], False
    for cell in read(path.read_bytes()).cells:
        for paragraph in re.split(r"\n\s*\n", cell.source) if cell.cell_type == "markdown" else []:
            if paragraph.startswith(("## ", "**Sources.**")):
                inside = bool(re.search(r"bridge|claims|what others say", paragraph))
            paragraphs += [paragraph] if inside else []
    assert 300 < words(paragraphs) <= 1_000
