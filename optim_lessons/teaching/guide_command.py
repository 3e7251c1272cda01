"""The command `optim-lessons guide`: where the teacher's guide is, or a lesson's page in the terminal."""

from pathlib import Path

from optim_lessons.course.arguments import LESSON
from optim_lessons.course.copies.workbook import find_lesson, lessons

GUIDE = Path(__file__).parent / "guide"
ABOUT = "Say where the teacher's guide is, or print its page about a lesson."


def add_arguments(parser):
    """Add what the command takes."""
    parser.add_argument(
        "lesson", nargs="?", type=find_lesson, metavar="LESSON", help=f"{LESSON} (default: only say where)"
    )


def run(arguments):
    """Print the page, or where all pages are."""
    if arguments.lesson:
        print(page(arguments.lesson))
        return 0
    print(f"The teacher's guide: {GUIDE / 'README.md'}\n\nA page for each lesson beside it:")
    print("\n".join(f"  {name}.md" for name in lessons()))
    print("\n`optim-lessons guide 4` prints the page of lesson 04.")
    return 0


def page(lesson):
    """Return the text of a lesson's page, as Markdown."""
    return (GUIDE / f"{lesson}.md").read_text(encoding="utf-8")
