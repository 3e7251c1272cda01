"""The command `optim-lessons check`: the verdict on every answer in the working copy, one line each.

Only the answers are taken from the working copy, found by the names they define. So edited check cells,
cells that are gone or in another order, stripped metadata and Windows line ends change nothing. The answers'
own cells run, not the whole notebook: the verdicts are those of its check cells, in seconds.
"""

import os
import sys
import textwrap

from optim_lessons.course.arguments import add_folder
from optim_lessons.course.copies import damage, workbook
from optim_lessons.course.refused import Refused

SYMBOLS = {"right": "✓", "wrong": "✗", "open": "○", "error": "✗", "not graded": "?"}
ABOUT = "Check the answers in your copy of the course. Your files stay as they are."


def add_arguments(parser):
    """Add what the command takes."""
    parser.add_argument(
        "lesson", nargs="?", metavar="LESSON", help="its number, its name or a notebook's path (default: all)"
    )
    add_folder(parser)
    parser.epilog = "Exit status: 0 if every answer is right, 1 if not, 2 if something could not be checked."


def run(arguments):
    """Print the verdicts; return 0 if all answers are right, 1 if not, 2 if some could not be had."""
    paths = notebooks(arguments.lesson, arguments.folder)
    # Here, not above: the table of exercises takes a second that a wrong name need not wait for.
    from optim_lessons.course.sandbox.box import Limits
    from optim_lessons.course.submission import NotJudged, judge_notebook, read_submission

    status = 0
    for path, lesson in paths:
        try:
            data = read_submission(path.resolve())
            found, results = judge_notebook(data, Limits(), lesson=lesson)
        except NotJudged as error:
            print(f"optim-lessons check: {path}: {_with_damage(error, path, lesson)}", file=sys.stderr)
            status = 2
            continue
        print(table(found, results))
        status = max(status, int(any(result.state != "right" for result in results)))
    return status


def notebooks(wanted, folder):
    """Return (path, lesson) of the notebooks to check. Raises Refused if there is none.

    wanted: a lesson's number or name, a path, or None for every lesson in the folder. The lesson is None
    where it has to be told from the notebook itself.
    """
    if wanted is None:
        there = [(folder / f"{name}.ipynb", name) for name in workbook.lessons()]
        there = [(path, name) for path, name in there if os.path.lexists(path)]
        if not there:
            raise Refused(
                f"there is no lesson in {str(folder)!r}. Open the course first with `optim-lessons`, "
                "or name your folder: optim-lessons check --folder FOLDER"
            )
        return there
    path = workbook.named_path(wanted)
    if path.is_file():
        return [(path, path.stem if path.stem in workbook.lessons() else None)]
    if any(mark in wanted for mark in "/\\") and not wanted.endswith(tuple("/\\")):
        raise Refused(f"there is no file {wanted!r}")
    lesson = workbook.find_lesson(wanted)
    path = folder / f"{lesson}.ipynb"
    if not os.path.lexists(path):
        raise Refused(
            f"{lesson} is not in {str(folder)!r}. Open it first with `optim-lessons {lesson[:2]}`, "
            "or name your folder: optim-lessons check --folder FOLDER"
        )
    return [(path, lesson)]


def table(lesson, results):
    """Return the verdicts on a lesson's answers: one line each, what is wrong below it, and a count."""
    width = max((len(result.id) for result in results), default=0)
    lines = [lesson]
    for result in results:
        said = f"{SYMBOLS[result.state]} {result.id:{width}}  {in_a_word(result.state, result.mistake)}"
        if result.state in ("wrong", "error", "not graded"):
            text = " ".join(result.text.split())
            said += "\n" + textwrap.fill(text, 100, initial_indent=" " * 4, subsequent_indent=" " * 4)
        lines.append(said)
    right = sum(result.state == "right" for result in results)
    still = sum(result.state == "open" for result in results)
    lines.append(f"{right} of {len(results)} right" + (f", {still} not done yet" if still else "") + "\n")
    return "\n".join(lines)


def in_a_word(state, mistake):
    """Return what became of an answer: right, not done yet, the mistake's name."""
    named = {"raised": "does not run", None: "not right"}.get(mistake, mistake)
    return {"open": "not done yet", "error": named, "wrong": named}.get(state, state)


def _with_damage(error, path, lesson):
    """Return in words why a notebook was not judged; for one that is damaged, the kind and the way out."""
    try:
        damage.read(path)
    except damage.Damaged as kind:
        offer = damage.offer(path, lesson) if lesson else []
        return "\n  ".join([f"it is no whole notebook: {kind}.", *offer])
    return str(error)
