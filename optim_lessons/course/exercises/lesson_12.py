"""Lesson 12: sanity checks, instruments, float16, and twelve broken runs to diagnose."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.kinds import Choice, Diagnosis, Function, Goal, Number
from optim_lessons.course.judging.words import Page
from optim_lessons.debugging import scaled_step
from optim_lessons.studies.broken import bench

page = Page(__name__)

FIRST_SIX = {
    "A": "weights too large",
    "B": "schedule ended",
    "C": "zero weights",
    "D": "lr too large",
    "E": "unscaled inputs",
    "F": "lr too small",
}
SECOND_SIX = {
    "G": "decay too strong",
    "H": "float16 underflow",
    "I": "no bias correction",
    "J": "wrong gradient",
    "K": "exploding gradients",
    "L": "shuffled labels",
}


# The goal: the training of 160 steps in float16 whose loss is measured in units that make it tiny.
UNIT, REACHED = 1e-8, 0.06


@cache
def half_run(loss_scale):
    """Return the readings of the float16 run with a loss scale."""
    return bench(loss_unit=UNIT, lr=0.3 / UNIT, loss_scale=loss_scale)


def _repaired(scale):
    if scale <= 0:
        return "not-positive", ""
    if scale > 2.0**100:
        return "overflow", ""
    seen = half_run(scale)
    if seen["train"][-1] < REACHED:
        return None
    text = f"After 160 steps the training loss is {seen['train'][-1]:.3g}."
    if 10 < scale < 45 and not np.log2(scale).is_integer():  # 2.0**scale would do
        return "power-for-scale", text
    return ("overflow" if scale > 2.0**30 else "underflow"), text


def _steps(rng):
    # Powers of 2, so that it does not matter in which order anyone multiplies and divides; lr is no Python
    # float, which would be rounded to float16 beside a float16 gradient.
    def case(size, scale, *broken, lr=0.25):
        g = (size * rng.standard_normal(6)).astype(np.float16)
        for place, value in broken:
            g[place] = value
        return rng.standard_normal(6), g, scale, np.float64(lr)

    return {
        "with an ordinary gradient": case(1.0, 1024.0),
        "with a gradient that is tiny without its scale": case(1e-3, 2.0**15, lr=2.0**22),
        "with one infinity in the gradient": case(1.0, 1024.0, (2, np.inf)),
        "with one NaN in the gradient": case(1.0, 256.0, (4, np.nan)),
        "with nothing finite in the gradient": case(np.nan, 256.0),
        "with infinities and a NaN": case(1.0, 256.0, (0, -np.inf), (3, np.nan)),
        "with a gradient of 0": case(0.0, 256.0),
        "with the largest number of float16": case(1.0, 2.0**10, (1, 65504.0)),
    }


exercises = (
    Choice(page["12.predict_zero"], "zero_guess", answer="b"),
    Number(page["12.first_loss"], "first_loss", accept=(3.26, 3.33), solution="np.log(27)"),
    Diagnosis(
        page["12.wrong_layer"],
        "wrong_blocks",
        what="gradient",
        answer={"P": "output biases", "Q": "hidden weights", "R": "nothing", "S": "hidden biases"},
        points=2,
    ),
    Number(page["12.first_ratio"], "first_ratio", accept=(0.0198, 0.0202), solution="0.001 / 0.05"),
    Choice(page["12.predict_clip"], "clip_guess", answer="b"),
    Number(
        page["12.smallest_half"], "smallest_half", accept=(5.9e-8, 6.02e-8), solution="2.0**-24", near=0.02
    ),
    Function(page["12.scaled_step"], scaled_step, inputs=_steps),
    Goal(page["12.repair_scale"], "repair_scale", _repaired, solution="2.0**24"),
    Diagnosis(page["12.diagnose_first"], "first_diagnosis", answer=FIRST_SIX, points=2),
    Diagnosis(page["12.diagnose_second"], "second_diagnosis", answer=SECOND_SIX, points=2),
    Choice(page["12.predict_twins"], "twins_guess", answer="c"),
)
