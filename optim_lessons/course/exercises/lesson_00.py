"""Lesson 00: one easy exercise, to see what a check says."""

from optim_lessons.course.kinds import number
from optim_lessons.course.mistakes import Mistake

exercises = (
    number(
        "00.first_check",
        "slope",
        task="What is the slope of the loss `w**2` at `w = 3`?",
        accept=(5.99, 6.01),
        solution="2 * 3",
        hint="differentiate `w**2` first, then put 3 in for `w`.",
        because="The slope of `w**2` is `2 * w`.",
        mistakes=[
            Mistake(
                "height",
                "9 is the height of the loss at 3.",
                "the slope says how fast the height changes there.",
                values=9,
            ),
            Mistake(
                "factor-forgotten",
                "3 is the point itself: a factor is missing in the derivative.",
                "what does the exponent 2 become when you differentiate `w**2`?",
                values=3,
            ),
            Mistake(
                "curvature",
                "2 is how fast the slope changes, the curvature (or the slope at `w = 1`).",
                "differentiate once, and put in the point.",
                values=2,
            ),
            Mistake(
                "downhill",
                "-6 is the direction downhill, the slope with its sign turned.",
                "to the right of the minimum the loss rises: is the slope positive or negative?",
                values=-6,
            ),
            Mistake(
                "another-point",
                "That is the slope of `w**2` at another point.",
                "put 3 in for `w`, once.",
                values=(0, 4, 8, 12, 18),
            ),
            Mistake(
                "another-power",
                "27 is the slope of `w**3` at 3.",
                "the loss is the second power of `w`.",
                values=27,
            ),
        ],
    ),
)
