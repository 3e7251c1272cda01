"""What a teacher and the learners get from a graded class: a table, a page, and feedback for each learner.

Names of files and texts of learners are strangers' words: in the table none of them can be a formula, on the
pages none can be markup, and no page loads anything.
"""

import csv
import hashlib
import io
import re
import unicodedata
from collections import Counter
from html import escape
from urllib.parse import quote

from optim_lessons.course.copies.workbook import make_writable_folder, write_over

BARS = 15
TRUSTED = (
    "Graded with --trusted: without isolation. The learners' code ran with the usual limits, and "
    "nothing protected files and grades against malice."
)
_DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)\d", re.IGNORECASE)  # no file of Windows has such a name
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_WORDS = {"right": "✓ right", "open": "○ not done", "error": "✗ does not run", "not graded": "? not graded"}
_PHRASES = {  # of mistakes that can be made in every exercise, and so stand in no exercise's table
    "raised": "The code stops with an error.",
    "endless": "The code was stopped: it took too long.",
    "ended": "The code ended Python itself.",
    "not-finite": "NaN or infinity comes out where a number is expected.",
    "returns-nothing": "Something is computed, but nothing is returned.",
    "returned-values": "Another number of values is returned than asked for.",
    "returned-type": "What is returned is no array of numbers and no number.",
    "returned-order": "The values are right, but returned in another order.",
    "shape": "The result has another shape than expected.",
    "dtype": "The result is right, but holds fewer digits than float64.",
    "writes-in-place": "The function writes into an array that it was given.",
    "read-only": "The function writes into an array that it was given.",
    "hard-input": "Right with ordinary numbers, but not with zeros, huge, tiny or single ones.",
    "coordinates-mixed": "What happens in one coordinate changes another.",
    "hidden-memory": "The function keeps something between two calls.",
    "the-courses-own": "It is the course's own function.",
    "arguments": "The function takes other arguments than asked for.",
    "argument-order": "The arguments stand in another order.",
    "default": "An argument has another default than in the course.",
    "star-missing": "A star is missing before the knobs.",
    "star-too-early": "The star stands too early among the arguments.",
    "a-class": "It is a class, not a function.",
    "no-function": "It is no function.",
    "generator": "The function contains yield, so it returns no values.",
    "coroutine": "It is an async function.",
    "text": "It is a text, where a number is asked for.",
    "no-number": "It is no number.",
    "no-pair": "It is no pair of numbers.",
    "sign": "The number has the wrong sign.",
    "no-choice": "It is none of the letters to choose from.",
    "no-dict": "It is no dict.",
    "no-such-run": "The dict names something that is not there.",
    "no-such-cause": "The dict holds a name that is none of those to choose from.",
    "several-answers": "Several answers were given, and one is taken.",
}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; }
th, td { border: 1px solid #bbb; padding: .2rem .6rem; text-align: left; }
td.n, td.p { text-align: right; } td.p { white-space: nowrap; }
tr, ul.bars li { break-inside: avoid; } h2, h3 { break-after: avoid; }
ul.bars { list-style: none; padding: 0; } ul.bars li { margin-bottom: .6rem; }
svg { display: block; } @media print { body { margin: 0; max-width: none; font-size: 12px; } }
code { background: #f0f0f0; } h2 { margin-top: 2rem; }
"""


def write(out, records, run):
    """Write grades.csv, class.html and feedback/ into a folder, each file whole or not at all."""
    count_best(records)
    _write(out / "grades.csv", "\ufeff" + table(records, run))  # the mark tells Excel that it is UTF-8
    _write(out / "class.html", class_page(records, run))
    make_writable_folder(out / "feedback")
    for learner, name in _pages(records).items():
        own = [record for record in records if record["learner"] == learner]
        _write(out / "feedback" / f"{name}.html", feedback_page(learner, own, run))


def _pages(records):
    """Return learner → the name of the learner's page, in order."""
    learners = sorted({record["learner"] for record in records})
    return dict(zip(learners, file_names(learners), strict=True))


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


def table(records, run):
    """Return the table as CSV: one row for each submission, one column for each exercise."""
    ids = list(dict.fromkeys(r["id"] for record in records for r in record["results"]))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    names = [
        "learner",
        "lesson",
        "file",
        "status",
        "points",
        "of",
        "counts",
        "mistakes",
        "reason",
        "isolated",
    ]
    rows.writerow([*names, *sorted(ids)])
    for record in records:
        points = {r["id"]: r["points"] for r in record["results"] if r["state"] != "not graded"}
        mistakes = "; ".join(f"{r['id']}: {r['mistake']}" for r in record["results"] if r["mistake"])
        head = [record["learner"], record["lesson"], record["file"], record["status"]]
        head += [record["points"], record["of"], "yes" if record["counts"] else "no"]
        head += [mistakes, record["reason"], "no (--trusted)" if run["trusted"] else "yes"]
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
    slugs = [re.sub(r"[^\w. -]", "_", learner).strip(" .") for learner in learners]
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
    write_over(path, text.encode("utf-8", "replace"))


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
    """Return the teacher's page: the usual mistakes as a picture, the learners, and each lesson by itself.

    run: its folder's name, its date, the seed of the inputs, and whether the code was trusted.
    """
    statuses = Counter(record["status"] for record in records)
    counted = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    parts = [f"<p>{len(records)} submissions: {_text(counted)}. Seed of the inputs: {run['seed']}.</p>"]
    parts += _if_trusted(run)
    pages = _pages(records)
    lessons = sorted({record["lesson"] for record in records if record["lesson"]})
    if len(lessons) > 1:
        parts += ["<h2>Learners</h2>", _totals(records, lessons, pages)]
    common = common_mistakes(records)
    if common:
        parts += ["<h2>The most common mistakes</h2>", bars(common)]
    for lesson in lessons:
        own = [record for record in records if record["lesson"] == lesson]
        parts += [f"<h2>{_text(lesson)}</h2>", _exercises(own), "<h3>Submissions</h3>"]
        parts.append(_submissions(own, pages))
    rest = [record for record in records if not record["lesson"]]
    if rest:
        parts += ["<h2>Of no lesson</h2>", _submissions(rest, pages)]
    return _page(f"{run['folder']}, {run['date']}", "\n".join(parts))


def _if_trusted(run):
    return [f"<p><strong>{_text(TRUSTED)}</strong></p>"] if run["trusted"] else []


def _totals(records, lessons, pages):
    """Return a table of each learner's points; a lesson without any is left empty, and counts nothing."""
    head = ["learner", *(lesson[:2] for lesson in lessons), "points", "of"]
    best = {(r["learner"], r["lesson"]): r for r in records if r["counts"]}
    rows = []
    for learner in pages:
        own = [best.get((learner, lesson)) for lesson in lessons]
        numbers = ["" if r is None else r["points"] for r in own]
        numbers += [sum(r[key] for r in own if r) if any(own) else "" for key in ("points", "of")]
        cells = "".join(f'<td class="n">{number}</td>' for number in numbers)
        rows.append(f"<tr><td>{_link(learner, pages)}</td>{cells}</tr>")
    return _table(head, rows)


def _submissions(records, pages):
    rows = []
    for record in records:
        points = "" if record["points"] is None else f"{record['points']} of {record['of']}"
        note = record["reason"] or ("" if record["counts"] else "another one of this learner counts")
        cells = "".join(f"<td>{_text(x)}</td>" for x in (record["status"], record["file"], note))
        rows.append(
            f'<tr><td>{_link(record["learner"], pages)}</td><td class="p">{_text(points)}</td>{cells}</tr>'
        )
    return _table(["learner", "points", "status", "file", "note"], rows)


def _link(learner, pages):
    return f'<a href="feedback/{quote(pages[learner])}.html">{_text(learner)}</a>'


def _table(head, rows):
    cells = "".join(f"<th>{_text(name)}</th>" for name in head)
    return f"<table><tr>{cells}</tr>{''.join(rows)}</table>"


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
    """Return a picture of the mistakes: a bar with its number for each, its name above, its words below."""
    most, wide = common[0][1], 600
    items = []
    for (id, mistake), count in common:
        width = round(wide * count / most)
        items.append(
            f"<li><strong>{_text(f'{id}  {mistake}')}</strong>"
            f'<svg role="img" aria-label="{count}" width="{wide + 60}" height="20" font-size="14">'
            f'<rect y="2" width="{width}" height="16" fill="#0072b2"/>'
            f'<text x="{width + 6}" y="15">{count}</text></svg>{_text(sentence(id, mistake))}</li>'
        )
    return f'<ul class="bars">{"".join(items)}</ul>'


def sentence(id, mistake):
    """Return what a mistake's name stands for: the check's own sentence, or a phrase. May be empty."""
    from optim_lessons.course.exercises import EXERCISES  # here, for it takes a second

    known = {m.name: m.text for m in EXERCISES[id].mistakes} if id in EXERCISES else {}
    known = _PHRASES | known
    if mistake.endswith("-unused") and mistake not in known:
        return f"`{mistake.removesuffix('-unused')}` is not used as in the formula."
    if all(part in known for part in mistake.split(" + ")):
        return " ".join(known[part] for part in mistake.split(" + "))
    return ""


def _exercises(records):
    states = {}
    for record in records:
        for r in record["results"] if record["counts"] else ():
            states.setdefault(r["id"], Counter())[r["state"]] += 1
    columns = ("right", "wrong", "open", "error")
    rows = []
    for id, n in sorted(states.items()):
        numbers = [*(n[c] for c in columns), f"{100 * n['right'] / n.total():.0f} %"]
        rows.append(
            f"<tr><td>{_text(id)}</td>" + "".join(f'<td class="n">{x}</td>' for x in numbers) + "</tr>"
        )
    return _table(["exercise", "right", "wrong", "not done", "does not run", "share right"], rows)


def feedback_page(learner, records, run):
    """Return a learner's page: for each notebook the points, and each exercise with what to look at."""
    parts = _if_trusted(run)
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
