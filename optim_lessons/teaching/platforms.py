"""What learning platforms put into the names of what was handed in, and what a name says about a learner."""

import re
import unicodedata
from datetime import datetime
from typing import NamedTuple

_DATE = r"\w+ \d{1,2}, \d{4} \d{3,4} [AP]M|\d{1,2} \w+, \d{4} \d{3,4} [AP]M"


class Platform(NamedTuple):
    """A platform's way to name a learner's folder or file.

    pattern: of the first folder's name, or of the name of a file that is in none; its groups are the learner,
    the platform's number of the learner, late, date, and rest (the name the file had). Where it is empty, the
    folder's name is the learner's.
    example: a path, whose learner is whose. folders: whether a folder may have such a name.
    """

    name: str
    pattern: str
    example: str
    whose: str
    folders: bool = True


PLATFORMS = [
    Platform(
        "Moodle",
        r"(?P<learner>.+?)_(?P<number>\d+)_assignsubmission_(file|onlinetext)(_(?P<rest>.*))?",
        "Ada Lovelace_123456_assignsubmission_file_/01_gradient_descent.ipynb",
        "Ada Lovelace",
    ),
    Platform(
        "Canvas",
        r"(?P<learner>[^_\s]+)(?P<late>_LATE)?_(?P<number>\d{4,})_(\d{4,})_(?P<rest>.+)",
        "lovelaceada_LATE_12345_67890_01_gradient_descent-1.ipynb",
        "lovelaceada",
        folders=False,
    ),
    Platform(
        "Brightspace",
        rf"(?P<number>\d+-\d+) - (?P<learner>.+?) - (?P<date>{_DATE})( - (?P<rest>.+))?",
        "12345-67890 - Ada Lovelace - Nov 23, 2026 1015 AM/01_gradient_descent.ipynb",
        "Ada Lovelace",
    ),
    Platform(
        "Blackboard",
        r".+?_(?P<learner>[^_]+)_attempt_(?P<date>\d{4}(-\d\d){5})(_(?P<rest>.+))?",
        "Optimizers 1_alovelace_attempt_2026-11-23-10-15-00_01_gradient_descent.ipynb",
        "alovelace",
        folders=False,
    ),
    Platform(
        "Gradescope",  # whose it is stands in submission_metadata.yml beside the folders
        r"submission_(?P<number>\d+)",
        "submission_123456789/01_gradient_descent.ipynb",
        "submission_123456789",
    ),
    Platform(
        "Google Classroom",
        r"(?P<learner>.+?) - (?P<rest>(Copy of )*\d\d_\w+.*)",
        "Ada Lovelace - 01_gradient_descent.ipynb",
        "Ada Lovelace",
        folders=False,
    ),
    Platform(
        "Google Drive",
        r"(Copy of )+(?P<learner>.+)",
        "Copy of Copy of ada_01_gradient_descent.ipynb",
        "ada",
        folders=False,
    ),
    Platform(
        "Teams",  # in SharePoint's folder "Submitted files"
        "",
        "Ada Lovelace/Optimizers 1/Version 2/01_gradient_descent.ipynb",
        "Ada Lovelace",
    ),
    Platform(
        "GitHub Classroom",  # the folder "optimizers-submissions", from `gh classroom clone`
        "",
        "optimizers-submissions/optimizers-adalovelace/01_gradient_descent.ipynb",
        "adalovelace",
    ),
    Platform(
        "plain",
        "",
        "ada_01_gradient_descent (1).ipynb",
        "ada",
    ),
]
_OWN = re.compile(r"submission_metadata\.yml|index\.html")
_NOTE = re.compile(r"(.+_attempt_\d{4}(-\d\d){5})\.txt")  # Blackboard's, beside each learner's files


class Named(NamedTuple):
    """What a name says: the learner, the platform and its number of the learner, late, a date, the rest."""

    learner: str
    platform: str
    number: str = ""
    late: bool = False
    date: str = ""
    rest: str = ""


def named(name, *, is_file, around=""):
    """Return what a folder's or a file's name says.  around: the name of the folder that it lies in."""
    if not is_file and around.endswith("-submissions"):
        learner = name.removeprefix(around.removesuffix("submissions"))
        if learner not in ("", name):
            return Named(learner, "GitHub Classroom")
    for platform in PLATFORMS:
        may = platform.pattern and (is_file or platform.folders)
        if may and (match := re.fullmatch(platform.pattern, name)):
            found = {key: value or "" for key, value in match.groupdict().items()}
            learner = found.get("learner") or name
            late = bool(found.get("late"))
            date, rest = found.get("date", ""), found.get("rest", "")
            return Named(learner, platform.name, found.get("number", ""), late, date, rest)
    return Named(name, "plain")


def when(date):
    """Return the moment that a platform's date says, or None."""
    for form in ("%Y-%m-%d-%H-%M-%S", "%b %d, %Y %I%M %p", "%B %d, %Y %I%M %p", "%d %B, %Y %I%M %p"):
        try:
            # 915 AM is 0915 AM.
            return datetime.strptime(re.sub(r"\b(\d{3} [AP]M)", r"0\1", date), form)
        except ValueError:
            continue
    return None


def is_the_platforms_own(name, others):
    """Whether a file is one that a platform adds to what was handed in.  others: all names beside it."""
    note = _NOTE.fullmatch(name)
    return bool(_OWN.fullmatch(name)) or bool(note and any(n.startswith(f"{note[1]}_") for n in others))


def submitters(folder):
    """Return Gradescope's table, a folder's name → its learners' names; empty where there is none."""
    try:
        text = (folder / "submission_metadata.yml").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    names = {}
    for part in re.split(r"(?m)^(?=submission_\d+:)", text):
        found = re.findall(r"(?m)^\s*-?\s*:name:\s*['\"]?(.*?)['\"]?\s*$", part)
        if (head := re.match(r"submission_\d+", part)) and found:
            names[head[0]] = ", ".join(found)
    return names


# Names that look alike

_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800"


def unseen(character):
    """Whether nobody sees a character: it takes no ink, and a first one hides what comes after it."""
    return unicodedata.category(character)[0] in "CZM" or character in _FILLERS


def alike(name):
    """Return a name as eyes and file systems compare it: two that give the same are not told apart."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", name) if c == " " or not _shapeless(c))
    return " ".join(unicodedata.normalize("NFC", seen).casefold().split())


def _shapeless(character):
    return unicodedata.category(character)[0] in "CZ" or character in _FILLERS
