"""What a teacher and the learners get from a graded class: a table, a page, and feedback for each learner.

Names of files and texts of learners are strangers' words: in the table none of them can be a formula, on the
pages none can be markup, and no page loads anything.
"""

import csv
import hashlib
import io
import re
import statistics
import unicodedata
from collections import Counter
from functools import cache

from markupsafe import Markup, escape

from optim_lessons.course.copies.workbook import lessons as all_lessons
from optim_lessons.course.copies.workbook import make_writable_folder, pristine, write_over
from optim_lessons.course.notebook import checked, content
from optim_lessons.teaching.pages import templates
from optim_lessons.teaching.platforms import alike, unseen
from optim_lessons.teaching.similar import WARNING, similar

BARS, IDEAS, STEPS = 15, 3, 10
TRUSTED = (
    "Graded with --trusted: without isolation. The learners' code ran with the usual limits, and "
    "nothing protected files and grades against malice."
)
_DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)\d", re.IGNORECASE)  # no file of Windows has such a name
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_WORDS = {"right": "✓ right", "open": "○ not done", "error": "✗ does not run", "not graded": "? not graded"}
_SIGNS, _SEPARATORS = "=+-@|%", ",;\t|:\n"


def write(out, records, run):
    """Write grades.csv, class.html and feedback/ into a folder, each file whole or not at all."""
    prepare(records, run)
    _write(out / "grades.csv", "\ufeff" + table(records, run))  # the mark tells Excel that it is UTF-8
    _write(out / "class.html", class_page(records, run))
    make_writable_folder(out / "feedback")
    for learner, name in pages_of(records).items():
        own = [record for record in records if record["learner"] == learner]
        _write(out / "feedback" / f"{name}.html", feedback_page(learner, own, run))


def pages_of(records):
    """Return learner → the name of the learner's page, in order."""
    learners = sorted({record["learner"] for record in records})
    return dict(zip(learners, file_names(learners), strict=True))


def prepare(records, run):
    """Note in each record what follows from all of them and from the request.

    counts: of several tries at a lesson the one with most points does.  untouched: no answer was given.
    grade, grade_of: the points, as many as the teacher gives for the lesson.
    """
    best, wanted = {}, run.get("points") or {}
    for record in records:
        states = [r["state"] for r in record["results"]]
        record["untouched"] = bool(states) and set(states) == {"open"}
        record["counts"] = False
        record["grade"], record["grade_of"] = record["points"], record["of"]
        most = wanted.get(record["lesson"], wanted.get(""))
        if record["points"] is not None and record["of"] and most is not None:
            record["grade"], record["grade_of"] = round(record["points"] / record["of"] * most, 2), most
        notes = [record["reason"], "untouched: no answer was given" if record["untouched"] else ""]
        notes.append("late" if record.get("late") == "yes" else "")
        record["note"] = "; ".join(filter(None, notes))
        key = (record["learner"], record["lesson"] or record["file"])
        if record["points"] is not None and (key not in best or record["points"] > best[key]["points"]):
            best[key] = record
    for record in best.values():
        record["counts"] = True
    for record in records:
        if record["points"] is not None and not record["counts"]:
            record["note"] = "; ".join(filter(None, [record["note"], "another one of this learner counts"]))


# Tables

COLUMNS = ["learner", "lesson", "file", "status", "points", "of", "grade", "grade_of", "counts", "late"]
COLUMNS += ["handed_in", "mistakes", "reason", "isolated"]


def table(records, run):
    """Return the table as CSV: one row for each submission, one column for each exercise."""
    ids = sorted(dict.fromkeys(r["id"] for record in records for r in record["results"]))
    rows = []
    for record in records:
        points = {r["id"]: r["points"] for r in record["results"] if r["state"] != "not graded"}
        mistakes = "; ".join(f"{r['id']}: {r['mistake']}" for r in record["results"] if r["mistake"])
        own = record | {"mistakes": mistakes, "counts": "yes" if record["counts"] else "no"}
        own |= {"isolated": isolated(run), "reason": record["note"]}
        if record["status"] == "not graded":
            own["reason"] = record["reason"]
        rows.append([*(own.get(name, "") for name in COLUMNS), *(points.get(id) for id in ids)])
    return as_csv([[name.replace("_", " ") for name in COLUMNS] + ids, *rows])


def isolated(run):
    """Return in words whether the learners' code was kept in."""
    return "no (--trusted)" if run["trusted"] else "yes"


def as_csv(rows):
    """Return rows as CSV that no spreadsheet takes for a formula, whatever it separates cells by."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerows([cell(x) for x in row] for row in rows)
    return text.getvalue()


def cell(value):
    """Return a value that a spreadsheet takes for what it is: a text never for a formula."""
    if not isinstance(value, str) or value == "-":
        return "" if value is None else value
    made, begins = [], True  # at the beginning, and after what another spreadsheet takes for a separator
    for c in printable(value):
        plain = unicodedata.normalize("NFKC", c)  # some take a wide sign, such as "＝", for the narrow one
        if begins and plain[:1] and plain[0] in _SIGNS:
            made.append("'")
        begins = plain[-1:] in tuple(_SEPARATORS) or (begins and (unseen(c) or c in "\"'"))
        made.append(c)
    return "".join(made)


def printable(text):
    """Return a text without characters that a terminal or a table might obey, or that nobody sees."""
    text = str(text).encode("utf-8", "replace").decode()
    return _UNSEEN.sub(" ", text)


def file_names(learners):
    """Return a file name for each learner, different on every system."""
    slugs = [re.sub(r"[^\w. -]", "_", learner).strip(" .") for learner in learners]
    slugs = [slug.encode()[:60].decode(errors="ignore") for slug in slugs]
    often, names, used = Counter(alike(slug) for slug in slugs), [], set()
    for slug, learner in zip(slugs, learners, strict=True):
        plain = slug == learner and often[alike(slug)] == 1 and not _DEVICES.fullmatch(slug.split(".")[0])
        name = slug if plain else f"{slug.replace('.', '_')}-{_short_hash(learner)}"
        while alike(name) in used:  # a learner may be called like another one's page
            name = f"{slug.replace('.', '_')}-{_short_hash(name + learner)}"
        used.add(alike(name))
        names.append(name)
    return names


def _short_hash(text):
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _write(path, text):
    write_over(path, text.encode("utf-8", "replace"))


# Pages


def _words(text):
    """Return a text as HTML, its code in backticks as code."""
    pieces = str(escape(printable(text))).split("`")
    if len(pieces) % 2 == 0:
        return Markup("`".join(pieces))
    return Markup("".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces)))


def _number(value):
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def _lines(text):
    return "\n".join(map(printable, str(text).split("\n")))


@cache
def _templates():
    return templates(words=_words, plain=printable, plain_lines=_lines, number=_number)


def _page(name, title, run, **values):
    trusted = TRUSTED if run["trusted"] else ""
    return _templates().get_template(name).render(title=title, trusted=trusted, run=run, **values)


def class_page(records, run):
    """Return the teacher's page: what to repeat, the usual mistakes, the learners, each lesson by itself.

    run: its folder's name, its date, the seed of the inputs, whether the code was trusted; and, if the
    request has them, due, points and similar.
    """
    statuses = Counter("untouched" if r["untouched"] else r["status"] for r in records)
    lessons = sorted({record["lesson"] for record in records if record["lesson"]})
    parts = [_lesson(name, [r for r in records if r["lesson"] == name]) for name in lessons]
    return _page(
        "class.html",
        f"{run['folder']}, {run['date']}",
        {"due": None} | run,
        records=records,
        counted=", ".join(f"{count} {status}" for status, count in sorted(statuses.items())),
        pages=pages_of(records),
        lessons=lessons,
        totals=_totals(records, lessons),
        common=_bars(common_mistakes(records)[:BARS]),
        monday=monday(records),
        parts=parts,
        rest=[record for record in records if not record["lesson"]],
        similar=similar(records) if run.get("similar") else None,
        warning=WARNING,
    )


def _totals(records, lessons):
    """Return each learner's points; a lesson without any is left empty, and counts nothing."""
    best = {(r["learner"], r["lesson"]): r for r in records if r["counts"]}
    rows = []
    for learner in pages_of(records):
        own = [best.get((learner, lesson)) for lesson in lessons]
        numbers = ["" if r is None else _number(r["grade"]) for r in own]
        sums = (sum(r[key] for r in own if r) if any(own) else "" for key in ("grade", "grade_of"))
        rows.append((learner, [*numbers, *map(_number, sums)]))
    return rows


def common_mistakes(records):
    """Return ((exercise's id, mistake), how many learners' answers) of what counts, the most common first."""
    found = Counter(
        (r["id"], r["mistake"])
        for record in records
        if record["counts"]
        for r in record["results"]
        if r["mistake"]
    )
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def _bars(common):
    return [
        {"id": id, "mistake": mistake, "count": count, "sentence": in_words(id, mistake)}
        | {"percent": round(80 * count / common[0][1])}
        for (id, mistake), count in common
    ]


def _exercise(id):
    from optim_lessons.course.exercises import EXERCISES  # here, for it takes a second

    return EXERCISES.get(id)


def in_words(id, mistake):
    """Return what a mistake's name stands for, for an exercise. May be empty."""
    from optim_lessons.course.judging.common import sentence

    return sentence(_exercise(id), mistake)


def _lesson(name, records):
    """Return what the page says of a lesson: how points are spread, exercises, mistakes, submissions."""
    counted = [r for r in records if r["counts"] and not r["untouched"] and r["of"]]
    grades, most = [r["grade"] for r in counted], max((r["grade_of"] for r in counted), default=0)
    spread = []
    if len(grades) > 1:
        steps = min(STEPS, max(int(most), 1))
        places = Counter(min(int(grade / most * steps), steps - 1) for grade in grades)
        for i in range(steps):
            low, count = most * i / steps, places[i]
            height = round(60 * count / max(places.values()))
            spread.append({"count": count, "height": height, "label": f"{low:.3g}–"})
    states = {}
    for r in (r for record in records if record["counts"] for r in record["results"]):
        states.setdefault(r["id"], Counter())[r["state"]] += 1
    columns = ("right", "wrong", "open", "error")
    return {
        "name": name,
        "records": records,
        "learners": len(grades),
        "of": most,
        "mean": f"{statistics.mean(grades):.1f}" if grades else "",
        "median": f"{statistics.median(grades):g}" if grades else "",
        "spread": spread,
        "aria": ", ".join(f"{s['count']} with {s['label']}" for s in spread if s["count"]),
        "exercises": [
            (id, [*(n[c] for c in columns), f"{100 * n['right'] / n.total():.0f} %"])
            for id, n in sorted(states.items())
        ],
        "mistakes": _bars(common_mistakes(records)),
    }


def monday(records):
    """Return the two or three sections of the lessons that most learners have a mistake in.

    Each learner counts once in a section; where fewer than two have one, nothing is to be repeated.
    """
    missed, named = {}, {}
    for record in (r for r in records if r["counts"]):
        for r in (r for r in record["results"] if r["state"] in ("wrong", "error")):
            place = (record["lesson"], section_of(r["id"]))
            missed.setdefault(place, set()).add(record["learner"])
            named.setdefault(place, Counter())[(r["id"], r["mistake"] or "")] += 1
    ideas = []
    for place in sorted(missed, key=lambda place: (-len(missed[place]), place))[:IDEAS]:
        lesson, heading = place
        (id, mistake), _ = min(named[place].items(), key=lambda item: (-item[1], item[0]))
        of = len({r["learner"] for r in records if r["lesson"] == lesson and r["counts"]})
        idea = {"lesson": lesson, "heading": heading or id, "missed": len(missed[place]), "of": of}
        ideas.append(idea | {"sentence": in_words(id, mistake) if mistake else ""})
    return [idea for idea in ideas if idea["missed"] > 1]


@cache
def _sections(lesson):
    """Return exercise's id → the heading in the lesson that it stands below."""
    heading, found = "", {}
    for cell in content(pristine(lesson))["cells"]:
        if cell["cell_type"] == "markdown":
            for line in re.findall(r"(?m)^##+ (.+)$", cell["source"]):
                heading = line.strip()
        elif asked := checked(cell["source"]):
            found.setdefault(asked[0], heading)
    return found


@cache
def section_of(id):
    """Return the heading in its lesson that an exercise stands below; an empty text if there is none."""
    lesson = next((name for name in all_lessons() if name[:2] == id[:2]), None)
    return _sections(lesson).get(id, "") if lesson else ""


def feedback_page(learner, records, run):
    """Return a learner's page: each question, the answer, the check's sentence, and where to read on."""
    shown = []
    for record in records:
        results = []
        for r in record["results"]:
            exercise, section = _exercise(r["id"]), section_of(r["id"])
            named = _WORDS.get(r["state"], f"✗ {r['mistake'] or 'not right'}")
            more = {"said": named, "task": exercise.task if exercise else ""}
            more |= {
                "read": f"{record['lesson']}, {section}" if section else "",
                "answer": r.get("answer", ""),
            }
            results.append(r | more)
        shown.append(record | {"results": results})
    return _page("feedback.html", f"Feedback for {learner}", run, records=shown)
