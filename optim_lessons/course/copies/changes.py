"""What changed between two editions of a lesson, cell by cell, in words."""

import difflib
from typing import NamedTuple

from optim_lessons.course.copies.carry import asks

NEW, CHANGED, GONE = "new", "changed", "gone"
_ALIKE = 0.6  # below, a cell counts as another cell: two sentences of prose share half of their letters


class Change(NamedTuple):
    """One cell that is new, changed or gone.  section: the heading above it.  before, after: its text."""

    kind: str
    section: str
    cell: str
    before: str
    after: str


def changes(old, new):
    """Return the Changes from old cells to new ones, in the order of the page.

    Cells belong together if their texts are equal, else if their ids are, else if their texts are alike.
    Where a cell stands does not count.
    """
    origin = _pairs(old, new)
    old_sections, new_sections = _sections(old), _sections(new)
    kept = {i: j for j, i in origin.items()}
    found = []  # (place in the new edition, Change)
    for j, cell in enumerate(new):
        before = old[origin[j]].text if j in origin else ""
        if before != cell.text:
            kind = CHANGED if j in origin else NEW
            found.append((j, Change(kind, new_sections[j], describe(cell), before, cell.text)))
    place = -1
    for i, cell in enumerate(old):
        place = kept.get(i, place)
        if i not in kept:
            found.append((place, Change(GONE, old_sections[i], describe(cell), cell.text, "")))
    return [change for _, change in sorted(found, key=lambda entry: entry[0])]


def _pairs(old, new):
    """Return place in new → place in old."""
    origin, free = {}, dict(enumerate(old))

    def pair(choose):
        for j, cell in enumerate(new):
            if j not in origin and (i := choose(cell)) is not None:
                origin[j] = i
                del free[i]

    def alike(cell):
        rest = {other.text: i for i, other in free.items() if other.kind == cell.kind}
        best = difflib.get_close_matches(cell.text, rest, n=1, cutoff=_ALIKE)
        return rest[best[0]] if best else None

    def equal(*fields):
        def choose(cell):
            wanted = [getattr(cell, field) for field in fields]
            same = (i for i, other in free.items() if [getattr(other, field) for field in fields] == wanted)
            return next(same, None)

        return choose

    pair(equal("kind", "text", "id"))
    pair(equal("kind", "text"))
    pair(lambda cell: equal("kind", "id")(cell) if cell.id else None)
    pair(alike)
    return origin


def _sections(cells):
    """Return the heading that each cell stands under."""
    heading, sections = "the beginning", []
    for cell in cells:
        if cell.kind == "markdown" and cell.text.startswith("#"):
            heading = cell.text.splitlines()[0].lstrip("# ")
        sections.append(heading)
    return sections


def describe(cell):
    """Return a cell in a few words: the exercise that it asks, or how its text begins."""
    if cell.kind == "code" and (names := asks(cell.text)):
        return f"the exercise `{min(names)}`"
    first = next(line for line in cell.text.splitlines() if line.strip())
    first = first.strip("# ").replace("`", "'")
    first = first if len(first) <= 60 else first[:59] + "…"
    return f"the code `{first}`" if cell.kind == "code" else f"the text “{first}”"


def as_markdown(found):
    """Return the list of changes as Markdown, with the lines that differ in changed cells."""
    lines, section = [], None
    for change in found:
        if change.section != section:
            section = change.section
            lines += [f"## {section}", ""]
        lines += [f"- {change.kind}: {change.cell}", ""]
        if change.kind == CHANGED:
            lines += ["  ~~~~diff", *("  " + line for line in _difference(change)), "  ~~~~", ""]
    return "\n".join(lines)


def _difference(change):
    pieces = difflib.ndiff(change.before.splitlines(), change.after.splitlines())
    return [piece for piece in pieces if piece[0] in "+-"]
