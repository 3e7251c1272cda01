"""The command `optim-lessons summary`: writes the summary sheet."""

from pathlib import Path

from optim_lessons.course.copies.workbook import named_path, write_over
from optim_lessons.course.refused import Refused
from optim_lessons.lab.shipped import shipped

ABOUT = """\
Write the summary sheet: all rules of the course on one page, for A4 and US Letter.
FILE.html opens in every browser, which prints it; FILE.pdf is ready to print."""


def add_arguments(parser):
    """Add what the command takes."""
    parser.add_argument(
        "--out",
        type=named_path,
        default=Path("summary_sheet.html"),
        metavar="FILE",
        help="default: summary_sheet.html",
    )


def run(arguments):
    """Write the sheet in the form that its name asks for."""
    out = arguments.out
    kinds = {".html": _html, ".pdf": (shipped("assets") / "summary_sheet.pdf").read_bytes}
    if out.suffix.lower() not in kinds:
        raise Refused(f"{out.name!r} is no .html and no .pdf: name one of them")
    try:
        write_over(out, kinds[out.suffix.lower()]())
    except OSError as error:
        raise Refused(f"cannot write {str(out)!r}: {error.strerror or error}") from error
    print(f"The summary sheet: {out}")
    return 0


def _html():
    from optim_lessons.teaching.summary import page  # seconds that a wrong name need not wait for

    return page().encode()
