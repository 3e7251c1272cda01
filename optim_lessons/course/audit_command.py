"""The command `optim-lessons audit`: what carries the numbers and the claims of lessons."""

from optim_lessons.course.arguments import add_notebooks

ABOUT = """\
List what carries the numbers and the claims ("twice", "never", "every") in the prose of lessons: an output, a
code cell, or a test that a line of tests/prose/ names. It edits nothing."""


def add_arguments(parser):
    """Add what the command takes."""
    add_notebooks(parser)
    parser.add_argument("--missing", action="store_true", help="list only what nothing carries")


def run(arguments):
    """List the claims; return 1 if there is one that nothing carries."""
    from optim_lessons.course.audit import audit, ledger_of  # nbformat takes seconds

    status = 0
    for path in arguments.notebook:
        marks, wrong = audit(path)
        for cell, sentence in dict.fromkeys((mark.cell, mark.sentence) for mark in marks):
            shown = [mark for mark in marks if (mark.cell, mark.sentence) == (cell, sentence)]
            shown = [mark for mark in shown if not (arguments.missing and mark.carried_by)]
            if shown:
                print(f"\n{path.stem} {cell}: {sentence}")
            for mark in shown:
                print(f"    {mark.words}: {'; '.join(mark.carried_by) or 'NOTHING CARRIES IT'}")
        missing = [mark for mark in marks if not mark.carried_by]
        if missing:
            print(f"\nLines that {ledger_of(path)} lacks, where no cell shows what is claimed:")
        for cell in dict.fromkeys(mark.cell for mark in missing):
            print(f"{cell} | {'; '.join(mark.words.lower() for mark in missing if mark.cell == cell)} |")
        print(*wrong, f"\n{path.name}: {len(missing)} of {len(marks)} are carried by nothing", sep="\n")
        status |= bool(missing or wrong)
    return int(status)
