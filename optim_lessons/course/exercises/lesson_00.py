"""Lesson 00: one easy exercise, to see what a check says, and two predictions for the gallery."""

from optim_lessons.course.judging.kinds import choice, number
from optim_lessons.course.judging.mistakes import Mistake

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
    choice(
        "00.momentum_limit",
        "momentum_limit",
        task="Gradient descent breaks at `lr = 2` in this ravine. Momentum with `beta = 0.9` breaks ...",
        options={
            "a": "earlier, at about a tenth of that `lr`",
            "b": "at the same `lr`",
            "c": "later, at nearly twice that `lr`",
        },
        answer="c",
        hint="what becomes of steps that point left, right, left, right when they are added up?",
        because="A walk breaks by jumping from wall to wall. Such steps point to and fro, and in a sum of "
        "steps they nearly cancel.",
        mistakes=[
            Mistake(
                "as-on-a-steady-slope",
                "Ten times as long are the steps on a steady slope, where all of them point the same way. "
                "Where a walk breaks, they do not.",
                "what becomes of steps that point left, right, left, right when they are added up?",
                values="a",
            ),
            Mistake(
                "memory-ignored",
                "That is the limit of a rule without memory, `beta = 0`.",
                "at the limit the steps point left, right, left, right: what does adding them up do?",
                values="b",
            ),
        ],
    ),
    choice(
        "00.wrong_end",
        "wrong_end",
        task="The slopes are 3, −1, −1, again and again. Adam with `beta1 = 0` and `beta2 = 0.1` starts at 0 "
        "and ends ...",
        options={
            "a": "at −1, where the sum of the slopes leads",
            "b": "near 0",
            "c": "at +1, the worst place",
        },
        answer="c",
        hint="Adam divides each slope by the usual size of the last few: what is left of a 3?",
        because="Divided by its own size, the 3 counts about as much as one −1, and there are two of those.",
        mistakes=[
            Mistake(
                "slopes-added",
                "Gradient descent goes there: its steps add up as the slopes do. Adam divides each slope.",
                "with so short a memory, by what is the 3 divided, and by what each −1?",
                values="a",
            ),
            Mistake(
                "signs-cancel",
                "To stay, the steps of one round would have to add up to nothing.",
                "count the steps of one round to each side, and say how long each of them is.",
                values="b",
            ),
        ],
    ),
)
