"""The one table of exercises. The entries stand in one file per lesson; the order here is the course's."""

from optim_lessons.course.exercises import (
    lesson_00,
    lesson_01,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_08,
)
from optim_lessons.course.kinds import Exercise

_LESSONS = lesson_00, lesson_01, lesson_04, lesson_05, lesson_06, lesson_07, lesson_08

EXERCISES: dict[str, Exercise] = {
    exercise.id: exercise for lesson in _LESSONS for exercise in lesson.exercises
}
