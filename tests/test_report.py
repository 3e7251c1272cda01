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


def test_the_page_says_which_sections_to_repeat_with_the_most_common_sentence():
    missing = [
        record(f"l{i}", "01_gradient_descent", result("01.gradient_descent", "climbs")) for i in range(3)
    ]
    missing += [record(f"m{i}", "01_gradient_descent", result("01.ravine_steps", "sign")) for i in range(2)]
    missing += [record("n", "08_adam", result("08.adam", "climbs"))]
    report.prepare(missing, RUN)
    ideas = report.monday(missing)
    assert [(idea["missed"], idea["of"]) for idea in ideas] == [(3, 5), (2, 5)]
    assert ideas[0]["heading"] == report.section_of("01.gradient_descent") != ""
    assert ideas[0]["sentence"] == report.in_words("01.gradient_descent", "climbs")
    text = report.class_page(missing, RUN)
    assert "To repeat on Monday" in text
    assert "3 of 5 have a mistake here" in text
    assert "To repeat" not in page(RECORDS)


def test_every_exercise_stands_below_a_heading_of_its_lesson():
    assert [id for id in EXERCISES if not report.section_of(id)] == []


def test_mean_spread_and_the_untouched_are_told_and_the_untouched_are_not_in_the_mean():
    def points(learner, n):
        states = [result(f"01.x{i}", state="right" if i < n else "wrong") for i in range(4)]
        return record(learner, "01_gradient_descent", *states)

    blank = record("blank", "01_gradient_descent", *(result(f"01.x{i}", state="open") for i in range(4)))
    records = [points("a", 4), points("b", 2), points("c", 0), blank]
    report.prepare(records, RUN)
    text = report.class_page(records, RUN)
    assert "3 learners, 2.0 points of 4 in the mean" in " ".join(text.split())
    assert "1 untouched, 3 graded" in " ".join(text.split()).replace(
        "3 graded, 1 untouched", "1 untouched, 3 graded"
    )
    assert "untouched: no answer was given" in text
    (lesson,) = [report._lesson("01_gradient_descent", records)]
    assert [step["count"] for step in lesson["spread"]] == [1, 0, 1, 1]


def test_feedback_shows_the_question_the_answer_the_checks_sentence_and_where_to_read_on():
    wrong = result("01.gradient_descent", "climbs") | {
        "answer": "def f(w):\n    return w < 1",
        "text": "Uphill.",
    }
    records = [record("Ada", "01_gradient_descent", wrong)]
    report.prepare(records, RUN)
    text = report.feedback_page("Ada", records, RUN)
    for words in (
        str(report._words(EXERCISES["01.gradient_descent"].task)),
        "def f(w):\n    return w &lt; 1",
        "Uphill.",
        f"Read on: 01_gradient_descent, {report.escape(report.section_of('01.gradient_descent'))}",
    ):
        assert words in text


def test_points_of_a_lesson_can_be_set_and_the_courses_own_stay_beside_them():
    records = [record("Ada", "08_adam", result("08.adam"), result("08.x", "sign"))]
    report.prepare(records, RUN | {"points": {"08_adam": 15, "": 100}})
    assert (records[0]["points"], records[0]["of"]) == (1, 2)
    assert (records[0]["grade"], records[0]["grade_of"]) == (7.5, 15)


SAME = """def f(w, g, *, lr=0.1, n=3):
    for i in range(n):
        step = lr * g / (1 + i)
        w = w - step
    return np.clip(w, -1, 1)"""


def test_functions_that_are_the_same_but_for_names_and_comments_are_listed_on_request_with_a_warning():
    other = (
        SAME.replace("step", "delta").replace(" i ", " k ").replace("+ i", "+ k").replace("def f", "def g")
    )
    other = other.replace("    for", '    """Mine."""\n    # mine\n    for')
    answers = {
        "ada": SAME,
        "bo": other,
        "cy": SAME.replace("1 + i", "2 + i"),
        "dee": "def f(w):\n    return w",
    }
    answers["eve"] = answers["dee"]
    records = [record(who, "08_adam", result("08.adam") | {"answer": text}) for who, text in answers.items()]
    report.prepare(records, RUN)
    text = report.class_page(records, RUN | {"similar": True})
    (group,) = report.similar(records)
    assert group["learners"] == ["ada", "bo"]
    assert "this list accuses nobody" in text
    assert "Similar answers" not in report.class_page(records, RUN)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_narrow_screen_nothing_is_cut_off_and_words_stand_out_in_both_schemes(browser, tmp_path, scheme):
    long = [record(f"A very long name {i}" * 3, "08_adam", result("08.adam", "climbs")) for i in range(4)]
    report.write(tmp_path, [*RECORDS, *long], RUN | {"similar": True})
    tab = browser.new_page(viewport={"width": 360, "height": 800}, color_scheme=scheme)
    for path in (tmp_path / "class.html", *sorted((tmp_path / "feedback").iterdir())):
        tab.goto(path.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360, path.name
        ink, paper = tab.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
        light = [sum(map(int, ast.literal_eval(color[3:]))) > 384 for color in (ink, paper)]
        assert light == ([True, False] if scheme == "dark" else [False, True])
    tab.close()
