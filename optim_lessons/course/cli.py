"""The command `optim-lessons`: finds the module of a command, reads the arguments, runs it.

Such a module has the text ABOUT, add_arguments(parser), and run(arguments), which returns the exit status.
What it cannot do, it says by raising Refused.
"""

import argparse
import errno
import os
import sys
from importlib import import_module

from optim_lessons.course.refused import Refused

# First words that no lesson's name is: their modules, which load when they are asked for, and what they do.
_LEARNERS = {
    "check": ("course.check_command", "check the answers in your copy"),
    "reset": ("course.reset_command", "put a fresh copy of a lesson beside yours"),
    "summary": ("teaching.summary_command", "write all rules on one page, to print"),
    "site": ("site.command", "write the course as a site, live in any browser"),
}
_TEACHERS = {
    "guide": ("teaching.guide_command", "the teacher's guide, with a page for each lesson"),
    "grade": ("teaching.grade_command", "grade what a class handed in"),
    "hub": ("teaching.hub.command", "try the course with several people"),
    "nbgrader": ("teaching.nbgrader_command", "write a course for nbgrader"),
}
_AUTHORS = {
    "publish": ("course.publish_command", "run and tidy the lessons' notebooks"),
    "audit": ("course.audit_command", "list what carries the claims of a lesson"),
}
COMMANDS = _LEARNERS | _TEACHERS | _AUTHORS


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Refused(f"{message}.\nWhat it takes: {self.prog} --help")


def main(argv=None):
    """Run the command and return its exit status: 2 if something about the request does not work."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a folder's name may not fit the terminal's encoding
    words = sys.argv[1:] if argv is None else list(argv)
    name = words.pop(0) if words and words[0] in COMMANDS else ""
    try:
        try:
            command = command_module(name)
            return command.run(parser_of(name, command).parse_args(words))
        finally:
            sys.stdout.flush()  # that a reader has gone is seen here, not when Python ends
    except Refused as why:
        print(f"{_called(name)}: {why}", file=sys.stderr)
        return why.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read along, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be written
        return 141  # as the shell counts an end by a broken pipe
    except OSError as error:  # of the system, which a command has no better words for
        full = error.errno == errno.ENOSPC
        if full:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        why = "the disk is full, or what reads this can take no more" if full else error
        print(f"{_called(name)}: {why}", file=sys.stderr)
        return 2


def command_module(name):
    """Return the module of a command; of "", the one that opens the course."""
    module = COMMANDS[name][0] if name else "course.open_command"
    return import_module(f"optim_lessons.{module}")


def parser_of(name, command):
    """Return the parser of a command, from what its module says."""
    parser = _Parser(prog=_called(name), description=command.ABOUT)
    command.add_arguments(parser)
    if not name:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.epilog = "\n\n".join(
            f"{title}:\n" + "\n".join(f"  {_called(word):24}{what}" for word, (_, what) in group.items())
            for title, group in {
                "commands, each with --help": _LEARNERS,
                "for teachers": _TEACHERS,
                "for those who write lessons": _AUTHORS,
            }.items()
        )
    return parser


def _called(name):
    return f"optim-lessons {name}".strip()


if __name__ == "__main__":
    sys.exit(main())
