"""How this machine can grade: with isolation, or only the code that is trusted."""

from optim_lessons.course.sandbox.box import why_not_isolated
from optim_lessons.course.sandbox.walls import namespaces, trusted

ISOLATES = not why_not_isolated()
WALLS = namespaces if ISOLATES else trusted
GRADE = ["grade"] if ISOLATES else ["grade", "--trusted"]
