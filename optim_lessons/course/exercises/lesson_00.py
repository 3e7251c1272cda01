"""Lesson 00: one easy exercise, to see what a check says, and two predictions for the gallery."""

from optim_lessons.course.judging.kinds import Choice, Number
from optim_lessons.course.judging.words import Page

page = Page(__name__)

exercises = (
    Number(page["00.first_check"], "slope", accept=(5.99, 6.01), solution="2 * 3"),
    Choice(page["00.momentum_limit"], "momentum_limit", answer="c"),
    Choice(page["00.wrong_end"], "wrong_end", answer="c"),
)
