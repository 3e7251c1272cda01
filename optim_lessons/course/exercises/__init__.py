"""The one table of exercises. The entries stand in one file per lesson; the order here is the course's.

Leans on: lesson modules, bridge, lab, studies, course/judging.
Leaned on by: course, teaching, site.
"""

import pkgutil
from importlib import import_module

from optim_lessons.course.judging.kinds import Exercise

_LESSONS = sorted(module.name for module in pkgutil.iter_modules(__path__))

EXERCISES: dict[str, Exercise] = {
    exercise.id: exercise
    for lesson in _LESSONS
    for exercise in import_module(f"{__name__}.{lesson}").exercises
}
