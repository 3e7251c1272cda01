"""What a teacher gets from a graded class: its page, its table, and the learners' pages."""

import ast
import csv
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from optim_lessons.course import check
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.judging.common import COMMON
from optim_lessons.teaching import report

RUN = {"seed": 7, "folder": "Monday <class>", "date": "2026-03-02", "trusted": False}
COURSE = Path(check.__file__).parent


def result(id, mistake=None, state=None):
    state = state or ("wrong" if mistake else "right")
    points = int(state == "right")
    return {
        "id": id,
        "name": "x",
        "state": state,
        "points": points,
        "of": 1,
        "mistake": mistake,
        "text": "Words.",
    }


def record(learner, lesson, *results, **changed):
    return {
        "file": f"{learner}/{lesson}.ipynb",
        "learner": learner,
        "lesson": lesson,
        "status": "graded",
        "reason": "",
        "results": list(results),
        "points": sum(r["points"] for r in results),
        "of": len(results),
        "number": "",
        "late": "",
    } | changed


LOST = {"status": "not graded", "points": None, "of": None, "reason": "it holds no notebook"}
RECORDS = [
    record("Bo", "08_adam", result("08.adam", "climbs")),
    record("Ada Lovelace", "08_adam", result("08.adam")),
    record("Ada Lovelace", "01_gradient_descent", result("01.largest_lr"), result("01.good_lr", "raised")),
    record("Cy", "", **LOST),
]


def page(records=RECORDS):
    report.prepare(records, RUN)
    return report.class_page(records, RUN)


class Reader(HTMLParser):
    """Read the headings, the links and the rows of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.rows, self.headings = [], [], [], []
        self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attributes)["href"])
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True
        if tag in ("h1", "h2"):
            self.headings.append("")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data):
        if self.in_cell:
            self.rows[-1][-1] += data
        if self.tags and self.tags[-1] in ("h1", "h2"):
            self.headings[-1] += data.strip()


def test_the_page_has_the_folder_the_date_and_the_lessons_in_order():
    assert Reader(page()).headings == [
        "Monday <class>, 2026-03-02",
        "Learners",
        "The most common mistakes",
        "01_gradient_descent",
        "08_adam",
        "Of no lesson",
    ]


def test_totals_over_the_lessons_stand_there_where_there_are_several():
    rows = Reader(page()).rows
    assert rows[:4] == [
        ["learner", "01", "08", "points", "of"],
        ["Ada Lovelace", "1", "1", "2", "3"],
        ["Bo", "", "0", "0", "1"],
        ["Cy", "", "", "", ""],
    ]
    assert "Learners" not in Reader(page(RECORDS[:2])).headings


def test_the_share_of_right_answers_is_told_for_each_exercise():
    rows = Reader(page()).rows
    assert ["08.adam", "1", "1", "0", "0", "50 %"] in rows
    assert ["01.good_lr", "0", "1", "0", "0", "0 %"] in rows


def test_of_several_tries_only_the_best_is_in_the_totals_and_shares():
    tries = [
        record("Ada", "08_adam", result("08.adam", "climbs")),
        record("Ada", "08_adam", result("08.adam")),
    ]
    rows = Reader(page([*tries, *RECORDS[2:]])).rows
    assert ["Ada", "", "1", "1", "1"] in rows
    assert ["08.adam", "1", "0", "0", "0", "100 %"] in rows


def test_each_learner_has_a_link_to_the_page_that_is_there(tmp_path):
    strange = ["Ada Lovelace", "a/b", "100% <b>", "名前", "x#y?z", "Ada lovelace"]
    records = [record(learner, "08_adam", result("08.adam")) for learner in strange]
    report.write(tmp_path, records, RUN)
    links = Reader((tmp_path / "class.html").read_text(encoding="utf-8")).links
    assert len(links) == len(set(links)) == len(strange)
    for link, learner in zip(links, strange, strict=True):
        text = (tmp_path / unquote(link)).read_text(encoding="utf-8")
        assert f"Feedback for {report.escape(learner)}" in text


def test_a_learners_page_has_the_folders_name_and_a_hash_only_where_that_cannot_be():
    names = ["Ada Lovelace", "J. R. Smith-Jones_2", "Zoë 名前", "a/b", "Bo", "bo", "a:b", "x.", ".x", "con"]
    made = dict(zip(names, report.file_names(names), strict=True))
    assert [made[name] for name in names[:3]] == names[:3]
    for name in names[3:]:
        assert made[name][-9] == "-", made
    assert made["a/b"][:3] == made["a:b"][:3] == "a_b"
    assert len({name.casefold() for name in made.values()}) == len(names)


def test_under_a_bar_stands_the_checks_own_sentence():
    climbs = next(m for m in EXERCISES["08.adam"].mistakes if m.name == "climbs")
    text = page()
    assert report._words(climbs.text) in text
    assert "The code stops with an error." in text
    assert report.in_words("08.adam", "beta1-unused") == "`beta1` is not used as in the formula."
    assert report.in_words("08.adam", "climbs + lr-forgotten").startswith(climbs.text)
    assert report.in_words("08.adam", "of another course") == ""


def _names_that_checks_give():
    """Return the names of mistakes in the modules that judge, as far as they are written out."""
    for path in (*COURSE.glob("*.py"), *COURSE.glob("judging/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("wrong", "refuse"):
                for argument in node.args[1:2]:
                    if isinstance(argument, ast.Constant) and argument.value:
                        yield argument.value


def test_every_mistake_has_words():
    names = set(_names_that_checks_give())
    assert {"raised", "endless", "arguments", "no-number"} <= names
    assert not names - set(COMMON) - {"check-failed"}  # such a one is not graded at all
    for exercise in EXERCISES.values():
        for mistake in exercise.mistakes:
            assert report.in_words(exercise.id, mistake.name)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x>', "`<i>`"])
def test_no_words_of_strangers_are_markup(text):
    wrong = result("08.adam", text)
    records = [record(text, "08_adam", wrong, file=text), record(text, "", **LOST | {"reason": text})]
    report.prepare(records, RUN)
    for made in (
        report.class_page(records, RUN | {"folder": text}),
        report.feedback_page(text, records, RUN),
    ):
        assert not {"script", "img", "i"} & set(Reader(made).tags)


def test_the_page_is_the_same_for_the_same_records():
    assert page() == page()
    assert "http" not in page().replace('http-equiv="', "")


def test_without_isolation_every_page_and_every_row_says_so_and_else_none_does(tmp_path):
    for trusted, isolated in ((True, "no (--trusted)"), (False, "yes")):
        report.write(tmp_path, RECORDS, RUN | {"trusted": trusted})
        pages = [tmp_path / "class.html", *(tmp_path / "feedback").iterdir()]
        assert len(pages) == 4
        for path in pages:
            assert (str(report.escape(report.TRUSTED)) in path.read_text(encoding="utf-8")) == trusted
        with open(tmp_path / "grades.csv", newline="", encoding="utf-8-sig") as file:
            assert {row["isolated"] for row in csv.DictReader(file)} == {isolated}
