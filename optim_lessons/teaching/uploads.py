"""The points in the forms that Moodle, Canvas and a spreadsheet take in: `optim-lessons grade --for`."""

import io
import zipfile
from pathlib import PurePosixPath

from optim_lessons.course.copies.workbook import make_writable_folder, write_over
from optim_lessons.teaching import report

MOODLE = ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)", "Feedback comments"]
CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]


def write(out, kind, records, run):
    """Write the files of one kind into out/upload; return their paths, and who has no number there."""
    folder = out / "upload"
    make_writable_folder(folder)
    counted = [r for r in records if r["counts"]]
    lessons = sorted({r["lesson"] for r in counted if r["lesson"]})
    made, without = [], sorted({r["learner"] for r in counted if not r["number"]})
    if kind == "csv":
        made.append(_write(folder / "points.csv", _plain(counted, lessons, run)))
        return made, []
    for lesson in lessons:
        own = [r for r in counted if r["lesson"] == lesson and r["number"]]
        if kind == "moodle":
            made.append(_write(folder / f"moodle-{lesson}.csv", _moodle(own, run)))
            made.append(folder / f"moodle-feedback-{lesson}.zip")
            write_over(made[-1], _moodle_feedback(own, run))
        else:
            made.append(_write(folder / f"canvas-{lesson}.csv", _canvas(own, lesson)))
    return made, without


def _write(path, rows):
    write_over(path, ("\ufeff" + report.as_csv(rows)).encode("utf-8", "replace"))
    return path


def _moodle(records, run):
    """Return Moodle's grading worksheet: its Identifier is the number in the folders' names."""
    rows = [MOODLE]
    for r in records:
        rows.append(
            [f"Participant {r['number']}", _name(r), r["grade"], r["grade_of"], "-", _comment(r, run)],
        )
    return rows


def _moodle_feedback(records, run):
    """Return a zip with each learner's page under the name that the learner's folder or file came with."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for r in records:
            first = PurePosixPath(r["file"]).parts[0]
            begin = first[: first.index("_assignsubmission_file") + len("_assignsubmission_file")]
            place = f"{first}/feedback.html" if "/" in r["file"] else f"{begin}_feedback.html"
            name = zipfile.ZipInfo(place, (1980, 1, 1, 0, 0, 0))
            page = report.feedback_page(r["learner"], [r], run)
            archive.writestr(name, page.encode("utf-8", "replace"))
    return data.getvalue()


def _canvas(records, lesson):
    """Return Canvas's gradebook: the ID is the user's, and the second row says how many points there are."""
    most = max((r["grade_of"] for r in records), default=0)
    rows = [[*CANVAS, lesson], ["    Points Possible", "", "", "", "", most]]
    return rows + [[_name(r), r["number"], "", "", "", r["grade"]] for r in records]


def _plain(records, lessons, run):
    rows = [["learner", "number", *lessons, "points", "of", "late", "isolated"]]
    learners = {}
    for r in records:
        learners.setdefault((r["learner"], r["number"]), {})[r["lesson"]] = r
    for (learner, number), own in sorted(learners.items()):
        points = [own[lesson]["grade"] if lesson in own else "" for lesson in lessons]
        sums = [round(sum(r[key] for r in own.values()), 2) for key in ("grade", "grade_of")]
        late = " ".join(lesson[:2] for lesson in sorted(own) if own[lesson]["late"] == "yes")
        rows.append([learner, number, *points, *sums, late, report.isolated(run)])
    return rows


def _name(record):
    """Return a learner's name without the number that tells two of one name apart."""
    return record["learner"].split(f"_{record['number']}")[0]


def _comment(record, run):
    mistakes = [
        f"{r['id']}: {r['mistake'] or 'not right'}" for r in record["results"] if r["state"] == "wrong"
    ]
    late = "Came late. " if record["late"] == "yes" else ""
    trusted = "Graded without isolation. " if run["trusted"] else ""
    return trusted + late + "; ".join(mistakes)
