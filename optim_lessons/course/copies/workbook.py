"""The lessons, where a working copy of them belongs, and how it is written."""

import functools
import json
import os
import platform
import sys
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

from optim_lessons.course.refused import Refused
from optim_lessons.lab.shipped import shipped, source_tree


def lessons():
    """Return the names of the course's notebooks, in order: "00_start_here", "01_gradient_descent", ..."""
    return sorted(path.stem for path in shipped("notebooks").glob("[0-9][0-9]_*.ipynb"))


def find_lesson(wanted):
    """Return a lesson's full name from its number ("1", "01") or its name, the first one for None.

    Raises Refused, with the lessons listed, if there is none like that.
    """
    known = lessons()
    if not known:
        raise Refused("this installation holds no lessons: install the package again")
    if wanted is None:
        return known[0]
    word = wanted.lower().removesuffix(".ipynb").replace("-", "_")
    for name in known:
        number, _, title = name.partition("_")
        if word in (name, title) or (word.isdecimal() and int(word) == int(number)):
            return name
    raise Refused(f"there is no lesson {wanted!r}. The lessons are:\n  " + "\n  ".join(known))


def default_folder():
    """Return where the working copy belongs: course/ in a clone, else ./optim-lessons-course."""
    tree = source_tree()
    return tree / "course" if tree else Path.cwd() / "optim-lessons-course"


def named_path(text):
    """Return the path that a user named; a ~ that it begins with is a user's folder, as in a shell.

    Raises Refused where there is no such user.
    """
    path = Path(text)
    if not str(text).startswith("~"):  # Path drops the ./ of ./~tilde, which is no user's folder
        return path
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise Refused(
            f"{text!r} begins with a user's folder, and there is no user {path.parts[0][1:]!r}: "
            "for a folder of that name, write ./ before it"
        ) from error


def pristine(lesson):
    """Return the bytes of a lesson's notebook as the installed course ships it."""
    return (shipped("notebooks") / f"{lesson}.ipynb").read_bytes()


def as_opened(data):
    """Return a shipped notebook's bytes as JupyterLab on this machine holds them once it has opened the file.

    It notes its kernel's names in the notebook. Where they stand there already, a notebook that was only
    opened is not marked as changed.
    """
    notebook = json.loads(data)
    notebook["metadata"] = notebook.get("metadata", {}) | {
        "kernelspec": _kernelspec(),
        "language_info": LANGUAGE,
    }
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


# What a Python kernel says of its language.
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": platform.python_version(),
}


@functools.cache
def _kernelspec():
    """Return how this environment's kernel calls itself, or what ipykernel calls it where no file says so."""
    name = "Python 3 (ipykernel)"
    with suppress(OSError, ValueError, KeyError):
        file = Path(sys.prefix) / "share/jupyter/kernels/python3/kernel.json"
        name = json.loads(file.read_bytes())["display_name"]
    return {"display_name": name, "language": "python", "name": "python3"}


def make_writable_folder(folder):
    """Make a folder if it is not there; raise OSError if that fails or nothing can be written in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def reset_command(folder, lesson):
    """Return what to type for a fresh copy of a lesson in a folder."""
    place = "" if folder.absolute() == default_folder() else f' --folder "{folder}"'
    return f"optim-lessons reset {int(lesson[:2])}{place}"


def not_written(folder, error):
    """Return in words why a working copy cannot be written to, and the way out.  error: an OSError."""
    reason = error.strerror or str(error)
    place = error.filename if isinstance(error.filename, str) else ""
    if os.path.lexists(place) and Path(place) != folder:
        reason += f" ({place})"
    owner = ""
    with suppress(OSError, KeyError, AttributeError, NotImplementedError):  # no such folder, user, or system
        if isinstance(error, PermissionError) and folder.stat().st_uid != os.geteuid():
            owner = f" The folder belongs to the user {folder.owner()!r}."
    return (
        f"cannot write the course to {str(folder)!r}: {reason}.{owner}\n"
        "What is there stays as it is. The course needs a folder that you may write to, on a disk with some "
        "room.\nName one: optim-lessons --folder FOLDER"
    )


def write_new(path, data):
    """Write bytes to a file that does not exist yet; return whether it was written. Never overwrites."""
    draft = write_draft(path, data)
    try:
        _rename_to_new(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def write_over(path, data):
    """Write bytes to a file in the place of what it held: always the old ones or the new, whole."""
    os.replace(write_draft(path, data), path)


def write_draft(path, data):
    """Write bytes to a new hidden file beside path, down to the disk, and return that file's path."""
    draft = path.with_name(f".{path.stem}-{uuid.uuid4().hex}.part")
    try:
        with open(draft, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _rename_to_new(draft, path):
    if os.name == "nt":
        os.rename(draft, path)  # on Windows this refuses to overwrite
        return
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as a memory stick's
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        os.rename(draft, path)
