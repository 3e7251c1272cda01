"""Carry a learner's answers into another edition of a lesson, found by the names they define."""

import copy

from optim_lessons.course.notebook import Notebook, bound, code_cells, helpers, is_open, span, used


def answered(lesson, learners):
    """Return a copy of a lesson with the learner's answers filled in, and the names of these answers.

    lesson, learners: notebooks' contents. An answer takes the place of the open one: its whole cell, after
    what it leans on of other cells that the learner wrote. An answer in a cell that is not Python stays out.
    """
    lesson = copy.deepcopy(lesson)
    page, theirs = code_cells(lesson), Notebook([cell["source"] for cell in code_cells(learners)])
    course = Notebook([cell["source"] for cell in page])
    asked = {name: place for place, cell in enumerate(page) for name in asks(cell["source"])}
    filled, placed = [], set()
    for name, place in asked.items():
        try:
            answer = theirs.answer(name)
        except SyntaxError:
            continue
        if answer is None or is_open(theirs.cells[answer[0]][answer[1]]):
            continue
        needed = []
        for statement in helpers(name, theirs, course, list(asked)):
            at = next((i for i, cell in enumerate(theirs.cells) if any(s is statement for s in cell)), None)
            if at in (None, answer[0]) or bound(statement) & asked.keys() or (at, statement.lineno) in placed:
                continue
            placed.add((at, statement.lineno))
            needed.append("\n".join(theirs.sources[at].split("\n")[span(statement)]))
        page[place]["source"] = "\n".join([*needed, theirs.sources[answer[0]]])
        filled.append(name)
    for cell, statements in zip(page, course.cells, strict=True):
        if any(used(statement) & set(filled) or bound(statement) & set(filled) for statement in statements):
            cell |= {"outputs": [], "execution_count": None}  # they tell of the open answer
    return lesson, filled


def asks(source):
    """Return the names that a code cell leaves open for the learner: it is one open statement, else none."""
    statements = Notebook([source]).cells[0]
    return bound(statements[0]) if len(statements) == 1 and is_open(statements[0]) else set()
