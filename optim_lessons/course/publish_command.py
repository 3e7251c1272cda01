"""The command `optim-lessons publish`: the course's notebooks, run and tidied."""

import sys

from optim_lessons.course.arguments import add_notebooks

ABOUT = """\
Run the course's notebooks from top to bottom and tidy them for git. What changes from run to run is taken
out. A notebook with a cell that fails or warns is left as it is."""


def add_arguments(parser):
    """Add what the command takes."""
    add_notebooks(parser)


def run(arguments):
    """Publish; return 1 if a notebook could not be."""
    from optim_lessons.course.publish import NotPublishable, publish  # nbformat takes seconds

    status = 0
    for path in arguments.notebook:
        try:
            changed = publish(path)
        except (NotPublishable, OSError) as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            status = 1
        else:
            print(f"{path.name}: {'changed' if changed else 'unchanged'}")
    return status
