"""Names: what platforms make of them, what spreadsheets make of them, and that nobody shares one."""

import csv
import io
import re
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from test_report import RUN, record, result

from optim_lessons.teaching import report, uploads
from optim_lessons.teaching.handed_in import class_folder, learners_of, left_out
from optim_lessons.teaching.platforms import PLATFORMS, alike, named, when


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_the_learner_is_read_from_a_platforms_name(platform):
    path, around = Path(platform.example), None
    if path.parts[0].endswith("-submissions"):
        around, path = Path(path.parts[0]), Path(*path.parts[1:])
    assert learners_of([path], around)[path].name == platform.whose
    if platform.pattern:
        first = re.sub(r"\.ipynb$", "", path.parts[0])
        assert named(first, is_file=len(path.parts) == 1).platform == platform.name
    assert sum(p.name == platform.name for p in PLATFORMS) == 1


def test_a_platforms_number_its_mark_for_late_and_its_date_are_kept():
    paths = [Path(platform.example) for platform in PLATFORMS]
    found = {p.name: each for p, each in zip(PLATFORMS, learners_of(paths).values(), strict=True)}
    assert [found[name].number for name in ("Moodle", "Canvas", "Brightspace")] == [
        "123456",
        "12345",
        "12345-67890",
    ]
    assert {name for name, each in found.items() if each.late} == {"Canvas"}
    assert found["Brightspace"].date == found["Blackboard"].date == datetime(2026, 11, 23, 10, 15)
    assert when("Sep 3, 2026 915 AM") == datetime(2026, 9, 3, 9, 15)
    assert when("soon") is None


def test_gradescopes_table_says_whose_a_folder_is(tmp_path):
    (tmp_path / "submission_metadata.yml").write_text(
        "submission_11:\n  :submitters:\n  - :name: Ada Lovelace\n    :sid: '1'\n"
        'submission_12:\n  :submitters:\n  - :name: Bo\n  - :name: "Cy O\'Neil"\n'
    )
    paths = [Path(f"submission_{n}/x.ipynb") for n in (11, 12, 13)]
    assert [each.name for each in learners_of(paths, tmp_path).values()] == [
        "Ada Lovelace", "Bo, Cy O'Neil", "submission_13"]  # fmt: skip
    assert left_out(tmp_path) == {}


LOOK_ALIKE = [
    ["é", "e\u0301"],
    ["Ada", "ada", "ＡＤＡ"],
    ["Ada Lovelace", "Ada\u00a0Lovelace", "Ada  Lovelace", "Ada\u200b Lovelace"],
    ["ﬁn", "fin"],
    ["straße", "strasse"],
]


@pytest.mark.parametrize("names", LOOK_ALIKE, ids=lambda names: names[0])
def test_two_learners_whose_names_look_alike_share_no_name_no_row_and_no_page(names, tmp_path):
    learners = [each.name for each in learners_of([Path(name, "x.ipynb") for name in names]).values()]
    assert len({alike(report.printable(name)) for name in learners}) == len(names)
    pages = report.file_names(learners)
    assert len({alike(page) for page in pages}) == len(names)


def test_a_learner_may_be_called_like_another_ones_page():
    (page,) = report.file_names(["a/b"])
    names = report.file_names(["a/b", page, page.upper()])
    assert len({alike(name) for name in names}) == 3


FORMULAS = ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "|x", "%x", "\r\n=1", "＝1", "\u200b=1", "\u00ad=1"]
FORMULAS += ["\u3164=1", "\U000e0001=1", "\u2800=1", "\ufe0f=1", "x;=1", "x\t=1", "x|=1", "x, =1", "x；＝1"]
FORMULAS += ['"=1', "'=1", 'x";=1', "\u0301=1"]


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_no_cell_is_a_formula_whatever_a_spreadsheet_separates_cells_by(text):
    made = report.as_csv([["ada", text, "end"], ["bo", f"a {text}", "end"]])
    for separator in ",;\t|":
        for row in csv.reader(io.StringIO(made, newline=""), delimiter=separator):
            for field in row:
                seen = "".join(c for c in field if not report.unseen(c) and c != '"')
                assert seen[:1] not in tuple("=+-@|%＝"), (separator, row)
    assert all(line.startswith('"') and line.endswith('"') for line in made.split("\r\n") if line)


def test_a_plain_name_and_a_number_stay_as_they_are():
    assert report.cell("Ada Lovelace-King") == "Ada Lovelace-King"
    assert report.cell("01_gradient_descent") == "01_gradient_descent"
    assert report.cell(-3) == -3


# Into the school's system

CLASS = [
    record("Ada Lovelace", "01_gradient_descent", result("01.largest_lr"), result("01.good_lr", "raised"))
    | {"number": "11", "file": "Ada Lovelace_11_assignsubmission_file_/x.ipynb"},
    record("Li_12", "01_gradient_descent", result("01.largest_lr"), result("01.good_lr"))
    | {"number": "12", "file": "Li_12_assignsubmission_file_x.ipynb", "late": "yes"},
    record("Bo", "01_gradient_descent", result("01.largest_lr"), result("01.good_lr")),
]


def written(kind, tmp_path, **more):
    run = RUN | more
    records = [dict(r) for r in CLASS]
    report.prepare(records, run)
    made, without = uploads.write(tmp_path, kind, records, run)
    tables = [list(csv.reader(io.StringIO(p.read_text("utf-8-sig")))) for p in made if p.suffix == ".csv"]
    return made, tables[0], without


def test_moodles_worksheet_has_its_identifiers_and_its_feedback_the_names_that_came(tmp_path):
    made, rows, without = written("moodle", tmp_path, points={"": 20})
    assert rows[0] == ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)",
                       "Feedback comments"]  # fmt: skip
    assert [row[:4] for row in rows[1:]] == [
        ["Participant 11", "Ada Lovelace", "10.0", "20"],
        ["Participant 12", "Li", "20.0", "20"],
    ]
    assert rows[1][5] == "01.good_lr: raised"
    assert rows[2][5] == "Came late. "
    assert without == ["Bo"]
    assert [path.name for path in made][1] == "moodle-feedback-01_gradient_descent.zip"
    with zipfile.ZipFile(made[1]) as archive:
        assert archive.namelist() == [
            "Ada Lovelace_11_assignsubmission_file_/feedback.html",
            "Li_12_assignsubmission_file_feedback.html",
        ]
        assert "Feedback for Ada Lovelace" in archive.read(archive.namelist()[0]).decode()


def test_canvas_gets_its_columns_and_the_row_of_possible_points(tmp_path):
    _, rows, without = written("canvas", tmp_path)
    assert rows == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01_gradient_descent"],
        ["    Points Possible", "", "", "", "", "2"],
        ["Ada Lovelace", "11", "", "", "", "1"],
        ["Li", "12", "", "", "", "2"],
    ]
    assert without == ["Bo"]


def test_a_spreadsheet_gets_a_row_for_each_learner_with_or_without_a_number(tmp_path):
    _, rows, without = written("csv", tmp_path, points={"01_gradient_descent": 10})
    assert rows == [
        ["learner", "number", "01_gradient_descent", "points", "of", "late", "isolated"],
        ["Ada Lovelace", "11", "5.0", "5.0", "10", "", "yes"],
        ["Bo", "", "10.0", "10.0", "10", "", "yes"],
        ["Li_12", "12", "10.0", "10.0", "10", "01", "yes"],
    ]
    assert without == []


def test_what_was_not_isolated_is_marked_in_the_upload_too(tmp_path):
    _, rows, _ = written("csv", tmp_path, trusted=True)
    assert [row[-1] for row in rows[1:]] == ["no (--trusted)"] * 3
    _, rows, _ = written("moodle", tmp_path, trusted=True)
    assert all(row[-1].startswith("Graded without isolation. ") for row in rows[1:])


def test_what_a_platform_adds_is_nobodys_unless_it_is_all_that_a_learner_handed_in(tmp_path):
    note = "Optimizers_{}_attempt_2026-11-23-10-15-00"
    for name in (f"{note.format('ada')}.txt", f"{note.format('ada')}_x.ipynb", f"{note.format('bo')}.txt"):
        (tmp_path / name).touch()
    (tmp_path / "index.html").touch()
    (tmp_path / "Cy_1_assignsubmission_onlinetext_").mkdir()
    (tmp_path / "Cy_1_assignsubmission_file_").mkdir()
    (tmp_path / "Cy_1_assignsubmission_file_" / "x.ipynb").touch()
    assert list(left_out(tmp_path)) == [f"{note.format('bo')}.txt"]


def test_of_teams_the_drafts_are_not_graded(tmp_path):
    for kind in ("Submitted files", "Working files"):
        (tmp_path / kind / "Ada").mkdir(parents=True)
        (tmp_path / kind / "Ada" / "x.ipynb").touch()
    assert class_folder(tmp_path) == tmp_path / "Submitted files"
