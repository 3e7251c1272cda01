"""What a teacher and the learners get from a graded class: a table, a page, and feedback for each learner.

Names of files and texts of learners are strangers' words: in the table none of them can be a formula, on the
pages none can be markup, and no page loads anything.
"""

import csv
import hashlib
import io
import os
import re
import unicodedata
from collections import Counter
from html import escape

from optim_lessons.course.workbook import make_writable_folder, write_draft

BARS = 15
_DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)\d", re.IGNORECASE)  # no file of Windows has such a name
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_WORDS = {"right": "✓ right", "open": "○ not done", "error": "✗ does not run", "not graded": "? not graded"}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; }
th, td { border: 1px solid #bbb; padding: .2rem .6rem; text-align: left; }
td.n { text-align: right; } code { background: #f0f0f0; } h2 { margin-top: 2rem; }
"""


def write(out, records, run):
    """Write grades.csv, class.html and feedback/ into a folder, each file whole or not at all."""
    count_best(records)
    _write(out / "grades.csv", "\ufeff" + table(records))  # the mark tells Excel that it is UTF-8
    _write(out / "class.html", class_page(records, run))
    make_writable_folder(out / "feedback")
    learners = sorted({record["learner"] for record in records})
    for learner, name in zip(learners, file_names(learners), strict=True):
        own = [record for record in records if record["learner"] == learner]
        _write(out / "feedback" / f"{name}.html", feedback_page(learner, own))


def count_best(records):
    """Mark which submission counts where a learner has several of one lesson: the one with most points."""
    best = {}
    for record in records:
        record["counts"] = False
        key = (record["learner"], record["lesson"] or record["file"])
        if record["points"] is not None and (key not in best or record["points"] > best[key]["points"]):
            best[key] = record
    for record in best.values():
        record["counts"] = True


def table(records):
    """Return the table as CSV: one row for each submission, one column for each exercise."""
    ids = list(dict.fromkeys(r["id"] for record in records for r in record["results"]))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(
        ["learner", "lesson", "file", "status", "points", "of", "counts", "mistakes", "reason", *sorted(ids)]
    )
    for record in records:
        points = {r["id"]: r["points"] for r in record["results"] if r["state"] != "not graded"}
        mistakes = "; ".join(f"{r['id']}: {r['mistake']}" for r in record["results"] if r["mistake"])
        head = [record["learner"], record["lesson"], record["file"], record["status"]]
        head += [record["points"], record["of"], "yes" if record["counts"] else "no"]
        head += [mistakes, record["reason"]]
        rows.writerow([cell(x) for x in [*head, *(points.get(id) for id in sorted(ids))]])
    return text.getvalue()


def cell(value):
    """Return a value that a spreadsheet takes for what it is: a text never for a formula."""
    if value is None:
        return ""
    if isinstance(value, str):
        value = printable(value)
        # Some spreadsheets take a wide sign, such as "＝", for the narrow one.
        first = unicodedata.normalize("NFKC", value).lstrip()[:1]
        return f"'{value}" if first in tuple("=+-@|%") else value
    return value


def printable(text):
    """Return a text without characters that a terminal or a table might obey, or that nobody sees."""
    text = str(text).encode("utf-8", "replace").decode()
    return _UNSEEN.sub(" ", text)


def file_names(learners):
    """Return a file name for each learner, different on every system."""
    slugs = [re.sub(r"[^\w.-]+", "_", learner).strip("._") for learner in learners]
    slugs = [slug.encode()[:60].decode(errors="ignore") for slug in slugs]
    often = Counter(slug.casefold() for slug in slugs)
    return [
        slug
        if slug == learner and often[slug.casefold()] == 1 and not _DEVICES.fullmatch(slug.split(".")[0])
        else f"{slug.replace('.', '_')}-{_short_hash(learner)}"
        for slug, learner in zip(slugs, learners, strict=True)
    ]


def _short_hash(text):
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _write(path, text):
    os.replace(write_draft(path, text.encode("utf-8", "replace")), path)


# Pages


def _page(title, body):
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>{_STYLE}</style></head><body>
<h1>{_text(title)}</h1>
{body}
</body></html>
"""


def _text(text):
    """Return a text as HTML, its code in backticks as code."""
    pieces = escape(printable(text)).split("`")
    if len(pieces) % 2 == 0:
        return "`".join(pieces)
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


def class_page(records, run):
    """Return the teacher's page: how many, the usual mistakes as a picture, and every submission."""
    statuses = Counter(record["status"] for record in records)
    counted = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    parts = [f"<p>{len(records)} submissions: {_text(counted)}. Seed of the inputs: {run['seed']}.</p>"]
    common = common_mistakes(records)
    if common:
        parts += ["<h2>The most common mistakes</h2>", bars(common)]
    parts += ["<h2>Exercises</h2>", _exercises(records), "<h2>Submissions</h2>"]
    head = "<tr><th>learner</th><th>lesson</th><th>points</th><th>status</th><th>file</th><th>note</th></tr>"
    rows = []
    for record in records:
        points = "" if record["points"] is None else f"{record['points']} of {record['of']}"
        note = record["reason"] or ("" if record["counts"] else "another one of this learner counts")
        cells = [record["learner"], record["lesson"], points, record["status"], record["file"], note]
        rows.append("<tr>" + "".join(f"<td>{_text(x)}</td>" for x in cells) + "</tr>")
    parts.append(f"<table>{head}{''.join(rows)}</table>")
    return _page("The class", "\n".join(parts))


def common_mistakes(records):
    """Return ((exercise's id, mistake), how many learners' answers) of what counts, the most common first."""
    found = Counter(
        (r["id"], r["mistake"])
        for record in records
        if record["counts"]
        for r in record["results"]
        if r["mistake"]
    )
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))[:BARS]


def bars(common):
    """Return a picture of the mistakes: one bar each, its words and its number beside it."""
    most, row, left, wide = common[0][1], 28, 400, 360
    height = row * len(common) + 10
    lines = [
        f'<svg role="img" aria-label="The most common mistakes, as bars" width="100%" '
        f'viewBox="0 0 {left + wide + 60} {height}" font-family="sans-serif" font-size="14">'
    ]
    for i, ((id, mistake), count) in enumerate(common):
        y, width = row * i + 5, round(wide * count / most)
        name = escape(printable(f"{id}  {mistake}"[:52]))
        lines.append(f'<text x="{left - 10}" y="{y + 16}" text-anchor="end">{name}</text>')
        lines.append(f'<rect x="{left}" y="{y}" width="{width}" height="{row - 8}" fill="#0072b2"/>')
        lines.append(f'<text x="{left + width + 6}" y="{y + 16}">{count}</text>')
    return "\n".join([*lines, "</svg>"])


def _exercises(records):
    states = {}
    for record in records:
        for r in record["results"] if record["counts"] else ():
            states.setdefault(r["id"], Counter())[r["state"]] += 1
    columns = ("right", "wrong", "open", "error")
    head = "<tr><th>exercise</th><th>right</th><th>wrong</th><th>not done</th><th>does not run</th></tr>"
    rows = [
        f"<tr><td>{_text(id)}</td>" + "".join(f'<td class="n">{n[c]}</td>' for c in columns) + "</tr>"
        for id, n in sorted(states.items())
    ]
    return f"<table>{head}{''.join(rows)}</table>"


def feedback_page(learner, records):
    """Return a learner's page: for each notebook the points, and each exercise with what to look at."""
    parts = []
    for record in records:
        parts.append(f"<h2>{_text(record['lesson'] or record['file'])}</h2>")
        if record["points"] is None:
            parts.append(f"<p>Not graded yet: {_text(record['reason'])}.</p>")
            continue
        other = "" if record["counts"] else " Another notebook of yours counts for this lesson."
        parts.append(f"<p>{record['points']} of {record['of']} points ({_text(record['file'])}).{other}</p>")
        rows = []
        for r in record["results"]:
            named = f"✗ {r['mistake'] or 'not right'}"
            text = "<br>".join(_text(line) for line in r["text"].splitlines())
            rows.append(
                f"<tr><td>{_text(r['id'])}<br>{_text(_WORDS.get(r['state'], named))}</td>"
                f'<td class="n">{r["points"]}/{r["of"]}</td><td>{text}</td></tr>'
            )
        parts.append(f"<table>{''.join(rows)}</table>")
    return _page(f"Feedback for {learner}", "\n".join(parts))
