"""The teacher's guide: what it names is there, its plans fill the hour, its numbers are the course's."""

import re

import nbformat
import pytest

from optim_lessons.course.cli import COMMANDS, main
from optim_lessons.course.copies.workbook import lessons
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.lab.shipped import shipped
from optim_lessons.teaching.guide_command import GUIDE, page

every_page = pytest.mark.parametrize("lesson", lessons())
README = (GUIDE / "README.md").read_text(encoding="utf-8")
HEADINGS = [
    "Plan for 45 minutes",
    "Plan for 90 minutes",
    "Questions to ask",
    "What learners get wrong",
    "On the projector",
    "Copied or not",
    "With less time, with fast learners",
]
BESIDE_SECTIONS = {"exercises", "break", "talk", "questions"}


def cells(lesson, kind):
    notebook = nbformat.read(shipped("notebooks") / f"{lesson}.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def headings(lesson):
    return re.findall(r"^#+ (.+)$", "\n".join(cells(lesson, "markdown")), flags=re.MULTILINE)


def section(lesson, title):
    return page(lesson).split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text):
    """Return the cells of a Markdown table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def exercises_of(lesson):
    return [exercise for exercise in EXERCISES.values() if exercise.id[:2] == lesson[:2]]


def test_there_is_one_page_for_each_lesson():
    assert sorted(path.stem for path in GUIDE.glob("[0-9]*.md")) == lessons()


@every_page
def test_a_page_has_its_lessons_title_and_the_sections_that_every_page_has(lesson):
    assert page(lesson).startswith(f"# {headings(lesson)[0]}\n")
    assert re.findall(r"^## (.+)$", page(lesson), flags=re.MULTILINE) == HEADINGS


@every_page
@pytest.mark.parametrize("minutes", [45, 90])
def test_a_plan_fills_its_minutes_with_sections_of_the_lesson(lesson, minutes):
    plan = rows(section(lesson, f"Plan for {minutes} minutes"))
    assert sum(int(time) for time, _, _ in plan) == minutes
    unknown = {what for _, what, _ in plan} - set(headings(lesson)) - BESIDE_SECTIONS
    assert unknown == set()


@every_page
def test_the_mistakes_of_a_page_are_named_as_the_checks_name_them(lesson):
    named = rows(section(lesson, "What learners get wrong"))
    assert len(named) >= min(8, sum(len(exercise.mistakes) for exercise in exercises_of(lesson)))
    for exercise, mistake, *_ in named:
        known = [m.name for m in EXERCISES[exercise.strip("`")].mistakes]
        assert mistake.strip("`") in known, f"{exercise} has no mistake {mistake}; it has {known}"


@every_page
def test_every_exercise_that_a_page_speaks_of_exists(lesson):
    spoken_of = set(re.findall(r"`(\d\d\.[a-z]\w+)`", page(lesson)))
    assert spoken_of
    assert spoken_of <= EXERCISES.keys()


@every_page
def test_a_page_asks_at_least_six_questions_and_gives_the_answers(lesson):
    questions = re.findall(
        r"^\d+\. \*\*.+?\*\* \S.{20}", section(lesson, "Questions to ask"), flags=re.MULTILINE
    )
    assert len(questions) >= 6


def sizes():
    """Return the table of the lessons' sizes, as the guide has to show it."""
    lines = [
        "| page | words to read | explorers | exercises | points | named mistakes |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for lesson in lessons():
        words = len(re.findall(r"[A-Za-z]{2,}", "\n".join(cells(lesson, "markdown"))))
        own = exercises_of(lesson)
        counts = [
            f"{round(words, -2):,}",
            sum(source.count("explore(") for source in cells(lesson, "code")),
            len(own),
            sum(exercise.points for exercise in own),
            sum(len(exercise.mistakes) for exercise in own),
        ]
        title = headings(lesson)[0].replace(" · ", " ")
        lines.append(f"| [{title}]({lesson}.md) | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def test_the_guides_table_of_sizes_is_the_course_as_it_is():
    table = sizes()
    assert table in README, f"the table has to be:\n{table}"


def test_every_command_in_the_guide_is_one_that_the_program_knows():
    texts = [README, *map(page, lessons())]
    words = {word for text in texts for word in re.findall(r"optim-lessons ([a-z]+|\d+)\b", text)}
    words -= {word for word in words if word.isdecimal() and int(word) < len(lessons())}
    assert {"check", "grade", "guide"} <= words <= COMMANDS.keys()


def test_every_link_of_the_guide_leads_somewhere():
    for name in ("README", *lessons()):
        for target in re.findall(r"\]\(([^)#]+)", (GUIDE / f"{name}.md").read_text(encoding="utf-8")):
            assert target.startswith("https://") or (GUIDE / target).exists(), (name, target)


def test_the_command_says_where_the_guide_is_and_prints_a_page(capsys):
    assert main(["guide"]) == 0
    said = capsys.readouterr().out
    assert str(GUIDE / "README.md") in said
    assert "04_momentum.md" in said
    assert main(["guide", "momentum"]) == 0
    assert capsys.readouterr().out.startswith("# 04 · Momentum\n")
    assert main(["guide", "99"]) == 2
    assert "there is no lesson '99'" in capsys.readouterr().err
