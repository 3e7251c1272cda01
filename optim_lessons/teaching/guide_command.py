"""The command `optim-lessons guide`: where the teacher's guide is, or a lesson's page in the terminal."""

import argparse
import sys
from pathlib import Path

from optim_lessons.course.copies.workbook import find_lesson, lessons

GUIDE = Path(__file__).parent / "guide"


def main(argv):
    """Run the command; return 0, or 2 if there is no such lesson."""
    request = _parser().parse_args(argv)
    if request.lesson is None:
        print(f"The teacher's guide: {GUIDE / 'README.md'}\n\nA page for each lesson beside it:")
        print("\n".join(f"  {name}.md" for name in lessons()))
        print("\n`optim-lessons guide 4` prints the page of lesson 04.")
        return 0
    try:
        print(page(find_lesson(request.lesson)))
    except LookupError as error:
        print(f"optim-lessons guide: {error}", file=sys.stderr)
        return 2
    return 0


def page(lesson):
    """Return the text of a lesson's page, as Markdown."""
    return (GUIDE / f"{lesson}.md").read_text(encoding="utf-8")


def _parser():
    parser = argparse.ArgumentParser(
        prog="optim-lessons guide",
        description="Say where the teacher's guide is, or print its page about a lesson.",
    )
    parser.add_argument("lesson", nargs="?", metavar="LESSON", help="its number or name: 4, 04, momentum")
    return parser
