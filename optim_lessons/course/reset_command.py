"""The command `optim-lessons reset`: a fresh copy of a lesson, beside the learner's, never over it."""

import argparse
import sys

from optim_lessons.course.copies import workbook
from optim_lessons.course.copies.upgrade import put_beside


def main(argv):
    """Run the command and return its exit status: 2 if the request does not work."""
    request = _parser().parse_args(argv)
    try:
        folder = workbook.named_path(request.folder or workbook.default_folder()).absolute()
        lesson = workbook.find_lesson(request.lesson)
        if not folder.is_dir():
            raise LookupError(
                f"there is no folder {str(folder)!r}. Open the course first with `optim-lessons`, "
                "or name your folder: optim-lessons reset LESSON --folder FOLDER"
            )
        path, is_new = put_beside(folder, f"{lesson}-fresh", workbook.as_opened(workbook.pristine(lesson)))
    except LookupError as error:
        print(f"optim-lessons reset: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"optim-lessons reset: {workbook.not_written(folder, error)}", file=sys.stderr)
        return 2
    print(f"A fresh copy of the lesson{'' if is_new else ' is there already'}: {path}")
    print(f"Your own {lesson}.ipynb is as it was. Both are in JupyterLab's list of files.")
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="optim-lessons reset",
        description="Put a fresh copy of a lesson beside yours, under a new name. Yours stays as it is.",
    )
    parser.add_argument("lesson", metavar="LESSON", help="its number or name: 4, 04, momentum")
    parser.add_argument(
        "--folder",
        metavar="F",
        help="your copy (default: course/ in a clone, else ./optim-lessons-course)",
    )
    return parser
