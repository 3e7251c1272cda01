"""What keeps a notebook's file from being opened: the kind of damage, in words."""

import codecs
import re
import time

from optim_lessons.course import notebook
from optim_lessons.course.copies.workbook import reset_command

READ_BYTES = 16_000_000
_MARK = re.compile(rb"^(<<<<<<< |>>>>>>> |=======\r?$)", re.MULTILINE)


class Damaged(ValueError):
    """The kind of damage: "it is empty (0 bytes)"."""


def read(path):
    """Return a notebook's bytes and its content. Raises Damaged."""
    try:
        if path.is_symlink() and not path.exists():
            raise Damaged("it is a link that leads nowhere")
        if path.is_dir():
            raise Damaged("it is a folder")
        if not path.is_file():
            raise Damaged("it is no file")
        if (size := path.stat().st_size) > READ_BYTES:
            raise Damaged(
                f"it has {size / 1e6:,.0f} MB, and at most {READ_BYTES / 1e6:.0f} are read: "
                "open it, clear all outputs, save it"
            )
        data = path.read_bytes()
    except OSError as error:
        raise Damaged(f"it cannot be read ({error.strerror})") from None
    return data, content(data)


def content(data):
    """Return what a notebook's bytes hold, the cells under "cells". Raises Damaged."""
    if data.startswith(codecs.BOM_UTF8):  # what it holds can be read, but JupyterLab does not open it
        raise Damaged(by_look(data))
    try:
        return notebook.content(data)
    except notebook.NoNotebook as error:
        raise Damaged((error.is_broken and by_look(data)) or str(error)) from None


def by_look(data):
    """Return the kind of damage that bytes show at a look, without being parsed; None if they show none."""
    if not data.strip(b" \t\r\n\0"):
        zeros = "it holds nothing but zeros, as after a crash"
        return zeros if b"\0" in data else f"it is empty ({len(data)} bytes)"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0{" in data[:8] or b"{\0" in data[:8]:
        return "it is saved as UTF-16, and notebooks are UTF-8: save it as UTF-8"
    if data.startswith(b"PK\x03\x04"):
        return "it is a zip archive: unpack it"
    if data[:500].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, not the notebook: download the file itself"
    if mark := _MARK.search(data):
        line = data.count(b"\n", 0, mark.start()) + 1
        return f"it holds git's merge marks (the first in line {line}): a merge was not finished"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        if data[error.start :].count(b"\n") or data.rstrip().endswith(b"}"):
            return f"it is not UTF-8 from line {line} on, perhaps Latin-1: save it as UTF-8"
        return "it is cut off: its end is missing"
    if data.startswith(b"\xef\xbb\xbf"):
        return "it begins with a byte order mark (BOM): save it as UTF-8 without one"
    return None if data.rstrip().endswith(b"}") else "it is cut off: its end is missing"


def offer(path, lesson):
    """Return lines on what to do about a lesson's damaged file: a fresh copy, an older one of theirs."""
    lines = [f"Your file stays as it is. For a fresh copy beside it: {reset_command(path.parent, lesson)}"]
    older = path.parent / ".ipynb_checkpoints" / f"{path.stem}-checkpoint.ipynb"
    try:
        read(older)
        saved = time.strftime("%Y-%m-%d %H:%M", time.localtime(older.stat().st_mtime))
    except (Damaged, OSError):
        return lines
    return [*lines, f"JupyterLab has kept what you had on {saved}: {older}"]
