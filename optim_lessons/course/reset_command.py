"""The command `optim-lessons reset`: a fresh copy of a lesson, beside the learner's, never over it."""

from optim_lessons.course.arguments import LESSON, add_folder
from optim_lessons.course.copies import workbook
from optim_lessons.course.copies.upgrade import put_beside
from optim_lessons.course.refused import Refused

ABOUT = "Put a fresh copy of a lesson beside yours, under a new name. Yours stays as it is."


def add_arguments(parser):
    """Add what the command takes."""
    parser.add_argument("lesson", type=workbook.find_lesson, metavar="LESSON", help=LESSON)
    add_folder(parser)


def run(arguments):
    """Write the copy, unless there is one already, and say where it is."""
    folder, lesson = arguments.folder.absolute(), arguments.lesson
    if not folder.is_dir():
        raise Refused(
            f"there is no folder {str(folder)!r}. Open the course first with `optim-lessons`, "
            "or name your folder: optim-lessons reset LESSON --folder FOLDER"
        )
    try:
        path, is_new = put_beside(folder, f"{lesson}-fresh", workbook.as_opened(workbook.pristine(lesson)))
    except OSError as error:
        raise Refused(workbook.not_written(folder, error)) from error
    print(f"A fresh copy of the lesson{'' if is_new else ' is there already'}: {path}")
    print(f"Your own {lesson}.ipynb is as it was. Both are in JupyterLab's list of files.")
    return 0
