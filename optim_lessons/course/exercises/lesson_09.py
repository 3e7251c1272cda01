"""Lesson 09: schedules written by hand, how fast lr may fall, decay under a budget, four runs to diagnose."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.answers import read_pair
from optim_lessons.course.judging.kinds import choice, diagnosis, function, goal, number
from optim_lessons.course.judging.mistakes import Mistake
from optim_lessons.lab import datasets, models
from optim_lessons.lab.path import path
from optim_lessons.schedules import constant, cosine, exponential, linear, step
from optim_lessons.sgd import noisy, sgd


def warm_cosine(t, peak, warm, total, floor):
    """Return the lr of step t: a straight rise to the peak, half a cosine down to the floor, then the floor.

    t: steps taken before.  warm: steps of the rise, from 0.  total: steps until the floor, the rise included.
    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983
    """
    if t < warm:
        return peak * t / warm
    share = min((t - warm) / (total - warm), 1.0)
    return floor + (peak - floor) * (1 + np.cos(np.pi * share)) / 2


def trapezoid(t, peak, warm, total, cool):
    """Return the lr of step t: a straight rise, a long flat part, a straight fall to 0 in the last steps.

    warm: steps of the rise, from 0.  total: steps in all.  cool: steps of the fall; after it, lr is 0.
    Source: Hägele and others 2024, https://arxiv.org/abs/2405.18392 ("warm-up, stable, decay")
    """
    if t < warm:
        return peak * t / warm
    left = max(total - t, 0)
    return peak * min(left / cool, 1.0)


def _moments(*values):
    def draw(rng):
        del rng  # the moments are chosen: each tells some mistakes from the rule
        return {title: (t, *knobs) for knobs, moments in values for title, t in moments.items()}

    return draw


_COSINE_MOMENTS = _moments(
    ((0.3, 8, 48, 0.02), {"at the first step": 0, "in the warm-up": 5, "one step before its end": 7}),
    ((0.3, 10, 50, 0.05), {"at the peak": 10, "a quarter down": 20, "half-way down": 30, "further down": 43}),
    ((0.4, 5, 33, 0.04), {"one step before the end": 32, "at the end": 33, "after the end": 47}),
    ((0.2, 6, 31, 0.0), {"without a floor": 17}),
    ((1e-8, 6, 31, 1e-9), {"with a tiny peak": 3, "with a tiny peak, in the fall": 20}),
    ((0.2, 6, 31, 0.2), {"with a floor as high as the peak": 20}),
    ((0.3, 5, 50, 0.02), {"long after the end": 10**6}),
)
_TRAPEZOID_MOMENTS = _moments(
    ((0.3, 8, 48, 11), {"at the first step": 0, "in the warm-up": 5, "one step before its end": 7}),
    ((0.3, 10, 60, 20), {"at the peak": 10, "on the flat part": 30, "where the fall begins": 40}),
    ((0.3, 10, 60, 15), {"in the fall": 49, "further down": 57}),
    ((0.4, 5, 33, 7), {"one step before the end": 32, "at the end": 33, "after the end": 47}),
    ((0.3, 10, 30, 20), {"where there is no flat part": 10, "without a flat part, in the fall": 21}),
    ((1e-8, 6, 31, 5), {"with a tiny peak": 3, "with a tiny peak, in the fall": 29}),
    ((0.3, 5, 50, 10), {"long after the end": 10**6}),
)

# Softmax regression on digits with L2, 3 epochs in batches of 16, mean of 5 seeds. A constant lr ends at
# 0.225 at best; a straight line from 0.5 or 1 to 0 ends below the target.
EPOCHS, BATCH, L2, TARGET = 3, 16, 0.01, 0.2190
STEPS = EPOCHS * 68


@cache
def _digits():
    X, y = datasets.digits().train
    return models.softmax(X, y, l2=L2)


@cache
def loss_after(peak, end, seeds=5):
    """Return the loss after the exercise's 3 epochs with a line from peak to end, the mean over the seeds."""
    net = _digits()
    w0 = np.zeros((seeds, net.n))
    ws = path(sgd, net.batch_grad(BATCH, range(seeds)), w0, STEPS, lr=linear(peak, end, length=STEPS))
    return float(net(ws[-1]).mean())


def _reached(pair):
    peak, end = pair
    if peak <= 0 or end < 0:
        return "not-positive", ""
    loss = loss_after(peak, end)
    if loss < TARGET:
        return None
    if not loss < np.log(10):
        return "diverged", ""
    seen = f"After {EPOCHS} epochs the loss is {loss:.4g}."
    if end > peak:
        return "rises", seen
    if loss_after(peak, 0.0) < TARGET:
        return "ends-too-high", seen
    return ("peak-too-large" if loss_after(0.8 * peak, 0.0) < loss_after(peak, 0.0) else "not-arrived"), seen


_RUNS = {  # run → its schedule, over 300 steps
    "A": cosine(0.5, length=300),
    "B": exponential(0.5, length=40, factor=0.01),
    "C": constant(0.5),
    "D": step(0.5, every=100),
}


@cache
def four_runs(walkers=40, steps=300):
    """Return the mean loss of 40 walkers in a noisy ravine under four schedules: {"A": losses, ...}."""
    h, start = np.tile([0.05, 1.0], walkers), np.tile([-4.0, 1.5], walkers)
    runs = {}
    for letter, lr in _RUNS.items():
        ws = path(sgd, noisy(lambda w: h * w, 0.5, seed=3), start, steps, lr=lr)
        runs[letter] = 0.5 * (ws**2 @ h) / walkers
    return runs


_RISE = Mistake(
    "off-by-one",
    "Your rise begins one step too early: `t` counts the steps taken before, and is 0 at the first step.",
    "which lr does the very first step have, if the rise starts from 0?",
    [("peak * t / warm", "peak * (t + 1) / warm")],
)
_NO_RISE = Mistake(
    "no-rise",
    "In the warm-up your lr is the peak already.",
    "which part of the warm-up is over at step `t`?",
    [("peak * t / warm", "peak")],
)
_NO_PEAK = Mistake(
    "peak-forgotten",
    "Your rise ends at 1, whatever the peak is.",
    "at step `warm`, which lr should be reached?",
    [("peak * t / warm", "t / warm")],
)
_WHOLE = Mistake(
    "whole-division",
    "You divide with `//`, which drops the fraction.",
    "a single slash keeps it.",
    [("peak * t / warm", "peak * (t // warm)")],
)

exercises = (
    choice(
        "09.predict_drop",
        "drop_guess",
        task="SGD has been in its noise ball for long, at a small lr. Now lr drops to a tenth. The mean loss "
        "above the minimum ...",
        options={
            "a": "falls to a tenth in the very next step",
            "b": "falls to a tenth, but takes many steps for it",
            "c": "falls to about a third, the root of a tenth",
        },
        answer="b",
        hint="how large is the ball at each lr, and how much of what is there does one step remove?",
        because="The new ball is ten times lower, but the old distance shrinks only by the factor "
        "1 - lr·h per step, with the new, small lr.",
        mistakes=[
            Mistake(
                "at-once",
                "The walk stands where it stood. A smaller lr only shakes it less from now on.",
                "by which factor does one step at the new lr shrink the old distance?",
                values="a",
            ),
            Mistake(
                "radius-for-loss",
                "The radius goes like the root of lr. The loss goes like the radius squared.",
                "which of the two is asked for?",
                values="c",
            ),
        ],
    ),
    function(
        "09.warm_cosine",
        warm_cosine,
        inputs=_COSINE_MOMENTS,
        task="Write `my_warm_cosine(t, peak, warm, total, floor)`: the lr of step `t` = 0, 1, ... It rises "
        "in a straight line from 0 at step 0 to `peak` at step `warm`, falls by half a cosine to `floor` "
        "at step `total`, and stays there.",
        hint="two cases: before step `warm`, and from there on. In the second, first find the part of the "
        "fall that is over, a number from 0 to 1.",
        points=3,
        mistakes=[
            _RISE,
            _NO_RISE,
            _NO_PEAK,
            _WHOLE,
            Mistake(
                "rises-from-the-floor",
                "Your rise starts at the floor. Here it starts at 0: the floor belongs to the fall.",
                "which lr does the very first step have?",
                [("peak * t / warm", "floor + (peak - floor) * t / warm")],
            ),
            Mistake(
                "cosine-from-zero",
                "Your cosine counts from step 0 and not from the end of the warm-up, so lr jumps down there.",
                "at step `warm`, how much of the fall is over?",
                [("(t - warm) / (total - warm)", "t / total")],
            ),
            Mistake(
                "total-without-warm-up",
                "Your fall takes `total` steps, so it ends after step `total`.",
                "how many steps are left for the fall after the warm-up?",
                [("/ (total - warm)", "/ total")],
            ),
            Mistake(
                "floor-added",
                "You add the floor to the whole curve, so the top is higher than `peak`.",
                "how far is it from the top to the floor?",
                [("(peak - floor)", "peak")],
            ),
            Mistake(
                "floor-cuts",
                "You let the curve fall to 0 and cut it off at the floor. Here it lands on the floor "
                "at step `total`, and not before.",
                "how far is it from the top to the floor?",
                [
                    (
                        "floor + (peak - floor) * (1 + np.cos(np.pi * share)) / 2",
                        "max(floor, peak * (1 + np.cos(np.pi * share)) / 2)",
                    )
                ],
            ),
            Mistake(
                "floor-forgotten",
                "Your curve falls to 0, not to `floor`.",
                "what should be left when the cosine is -1?",
                [
                    (
                        "floor + (peak - floor) * (1 + np.cos(np.pi * share)) / 2",
                        "peak * (1 + np.cos(np.pi * share)) / 2",
                    )
                ],
            ),
            Mistake(
                "degrees",
                "You give the cosine degrees. NumPy's cosine wants radians.",
                "which angle, in radians, is half a turn?",
                [("np.pi * share", "180 * share")],
            ),
            Mistake(
                "whole-wave",
                "You run through a whole wave, so lr comes up again.",
                "the cosine goes from 1 to -1 in half a turn.",
                [("np.pi * share", "2 * np.pi * share")],
            ),
            Mistake(
                "pi-forgotten",
                "Pi is missing: your cosine covers a small part of the wave.",
                "the cosine goes from 1 to -1 in half a turn.",
                [("np.pi * share", "share")],
            ),
            Mistake(
                "quarter-wave",
                "You take a quarter of a wave.",
                "the cosine goes from 1 to -1 in half a turn.",
                [("(1 + np.cos(np.pi * share)) / 2", "np.cos(np.pi * share / 2)")],
            ),
            Mistake(
                "half-forgotten",
                "Your top is twice too high above the floor.",
                "what is 1 plus the cosine at its highest?",
                [("(1 + np.cos(np.pi * share)) / 2", "(1 + np.cos(np.pi * share))")],
            ),
            Mistake(
                "rises-again",
                "After step `total` your lr comes up again: the cosine goes on.",
                "which part of the fall is over after its end?",
                [("min((t - warm) / (total - warm), 1.0)", "(t - warm) / (total - warm)")],
            ),
        ],
    ),
    number(
        "09.beats_from",
        "beats_from",
        task="A parabola of curvature 0.3 with noise in every gradient. A constant lr of 0.02 has settled "
        "in its ball. After how many steps is a walk with lr = 1/(h·(t + 1)) closer, in mean square?",
        accept=(330, 335),
        solution="2 / (0.02 * 0.3) - 1",
        hint="set the variance of the ball equal to that of a mean of `T` noisy steps. The noise drops out.",
        because="It is 2/(lr·h) - 1: about twice the memory of the constant lr.",
        mistakes=[
            Mistake(
                "factor-two",
                "A factor of two is missing.",
                "what stands in the bracket under the fraction of the ball's variance?",
                values=(166.7, 165.7),
            ),
            Mistake(
                "curvature-of-the-mean",
                "You took the variance of the mean of the noise. The walk is that mean over the curvature.",
                "how far does a gradient of 1 move the minimum?",
                values=(29.91, 30),
            ),
            Mistake(
                "curvature-of-the-ball",
                "The curvature is missing in the variance of the ball.",
                "is the ball of a flat parabola the smaller or the larger one?",
                values=(1100, 1111),
            ),
            Mistake(
                "root-on-one-side",
                "You compare a radius with a variance.",
                "square both sides or neither.",
                values=60.77,
            ),
            Mistake(
                "no-curvature",
                "The curvature is missing: you took it as 1.",
                "where does the curvature stand in the ball's variance, and where in that of the mean?",
                values=(99, 100),
            ),
        ],
    ),
    choice(
        "09.predict_too_fast",
        "too_fast_guess",
        task="Without any noise, on a parabola: lr = 0.1 · 0.9ᵗ, which falls by a tenth in every step, and "
        "goes on for ever. Curvature 1, start at 10. The walk ...",
        options={
            "a": "arrives, only later than with a constant lr",
            "b": "stops on the way, far from the minimum",
            "c": "arrives faster, as it does not overshoot",
        },
        answer="b",
        hint="add up all learning rates, from now to the end of time.",
        because="All steps together can only go so far: the lrs add up to 1, and about a third of the way "
        "stays for ever.",
        mistakes=[
            Mistake(
                "arrives-late",
                "It never stands still, that is right. But an endless sum can be finite.",
                "what is 1 + 0.9 + 0.81 + ...?",
                values="a",
            ),
            Mistake(
                "no-overshoot",
                "At 0.1 nothing overshoots anyway: the limit is 2.",
                "what is 1 + 0.9 + 0.81 + ...?",
                values="c",
            ),
        ],
    ),
    goal(
        "09.three_epochs",
        "peak_and_end",
        _reached,
        read=read_pair,
        task=f"Softmax regression on digits (`l2=0.01`), from zero, batches of {BATCH}, {STEPS} steps, with "
        f"`linear(peak, end, length={STEPS})`. Bring the loss, the mean of 5 seeds, below {TARGET}. Set "
        "`peak_and_end` to a pair.",
        solution="0.7, 0.0",
        hint="far first, then close: a peak above the best constant lr, and an end near nothing.",
        because="A constant lr ends at 0.225 at best in these three epochs.",
        mistakes=[
            Mistake(
                "not-positive",
                "Both have to be learning rates: the peak above 0, the end not below 0.",
                "what would a negative lr do?",
            ),
            Mistake("diverged", "The walk was thrown out: `peak` is far too large.", "come down with it."),
            Mistake(
                "rises",
                "Your lr rises: the walk ends in the large ball.",
                "which of the two should be the larger?",
            ),
            Mistake(
                "ends-too-high",
                "The peak would do, but the walk ends while it is still shaking.",
                "how large is the ball of your last lr?",
            ),
            Mistake(
                "peak-too-large",
                "Even with an end of 0, this peak shakes the walk for too long.",
                "try a smaller peak.",
            ),
            Mistake(
                "not-arrived",
                "Even with an end of 0, this peak does not get far enough.",
                "the mean of the line is only half of its peak.",
            ),
        ],
        points=2,
    ),
    choice(
        "09.predict_warm_up",
        "warm_up_guess",
        task="A network with ReLU units on raw pixels, Adam, lr 0.04: with 34 steps of warm-up it ends far "
        "better. Which of these can take the place of the warm-up there?",
        options={
            "a": "to hold the weights still for 34 steps and let `v` fill up first, so that it is less noisy",
            "b": "to hold down the length of the first 34 steps to the length that steps have later anyway",
            "c": "each of the two",
        },
        answer="b",
        hint="how long is a step of Adam when nothing but one gradient is known, and how long later?",
        because="In this network the trouble is the length of the first steps. A `v` that has been filled "
        "before helps little.",
        mistakes=[
            Mistake(
                "noisy-v",
                "A full `v` does not change that the first gradients agree, and that steps then have their "
                "full length.",
                "look at the length of the first steps.",
                values="a",
            ),
            Mistake(
                "both",
                "One of them does, the other hardly.",
                "look at the length of the first steps: does a full `v` change it much?",
                values="c",
            ),
        ],
    ),
    diagnosis(
        "09.diagnose",
        "schedule_diagnosis",
        answer={"A": "cosine", "B": "fell too fast", "C": "constant", "D": "step"},
        labels={
            "constant": "the loss comes to a level and trembles there to the end",
            "cosine": "the loss bends down smoothly, most of it late, and trembles less and less",
            "step": "where lr drops, the trembling shrinks at once and the loss bends down",
            "fell too fast": "the loss becomes a smooth, nearly level line, high up: nothing shakes, "
            "nothing moves",
        },
        look={
            "A": "does it tremble at the end, and does it change all at once or little by little?",
            "B": "does it tremble in the middle of the run, and how high is it?",
            "C": "does it tremble at the end as it does in the middle?",
            "D": "are there moments where the curve changes its character?",
        },
        points=2,
        task="Each of the runs A, B, C and D has one of the schedules "
        '`"constant"`, `"cosine"`, `"step"`, `"fell too fast"`. Which has which?',
        hint="trembling shows how large lr is at that moment; a level line without trembling is a walk that "
        "has stopped.",
        because="The trembling of a loss tells its lr, the level does not.",
    ),
    function(
        "09.trapezoid",
        trapezoid,
        name="trapezoid",
        inputs=_TRAPEZOID_MOMENTS,
        task="Write `trapezoid(t, peak, warm, total, cool)`: from 0 at step 0 in a straight line to `peak` "
        "at step `warm`; then flat; in the last `cool` steps in a straight line to 0 at step `total`; 0 "
        "after that.",
        hint="count backwards: how many steps are left until `total`?",
        points=3,
        mistakes=[
            _RISE,
            _NO_RISE,
            _NO_PEAK,
            _WHOLE,
            Mistake(
                "fall-from-total",
                "Your fall only begins at step `total`, and ends `cool` steps later.",
                "the last step of the run is `total`: where must lr be 0?",
                [("max(total - t, 0)", "max(total + cool - t, 0)")],
            ),
            Mistake(
                "no-flat-part",
                "Your lr falls all the way from the end of the warm-up.",
                "how many steps does the fall take?",
                [("left / cool", "left / (total - warm)")],
            ),
            Mistake(
                "jumps-down",
                "Where the fall begins, your lr jumps: you take the part of the whole run that is left.",
                "which part of the fall is left?",
                [("peak * min(left / cool, 1.0)", "peak * (left / total if left < cool else 1.0)")],
            ),
            Mistake(
                "below-zero",
                "After step `total` your lr is negative, and the walk climbs.",
                "how many steps are left after the end?",
                [("max(total - t, 0)", "total - t")],
            ),
            Mistake(
                "above-the-peak",
                "Before the fall your lr is larger than `peak`: the line of the fall goes on upwards.",
                "what is the largest part of the peak that lr may have?",
                [("min(left / cool, 1.0)", "left / cool")],
            ),
            Mistake(
                "upside-down",
                "Your fall is upside down: it jumps to 0 and rises.",
                "at the end of the fall, which part of it is left?",
                [
                    (
                        "min(left / cool, 1.0)",
                        "(1.0 if left > cool else 1 - left / cool)",
                    )
                ],
            ),
        ],
    ),
    number(
        "09.per_epoch",
        "fallen_by",
        task="PyTorch, an epoch of 34 batches, 10 epochs, peak lr 0.1, and `CosineAnnealingLR(optimizer, "
        "T_max=340)`. By mistake `scheduler.step()` is called once per epoch. By how much does lr lie below "
        "its peak in the last, the tenth epoch?",
        accept=(1.69e-4, 1.765e-4),
        solution="0.1 * (1 - np.cos(np.pi * 9 / 340)) / 2",
        hint="how often has `step` been called when the tenth epoch begins, and of how many is that a part?",
        because="The lr is still 0.0998: the decay never came. Print lr once per epoch, and you see it.",
        mistakes=[
            Mistake(
                "one-call-too-many",
                "So much is lr below its peak after the tenth epoch, when no step is left.",
                "how often has `step` been called before the tenth epoch begins?",
                values=0.1 * (1 - np.cos(np.pi * 10 / 340)) / 2,
            ),
            Mistake(
                "one-call-too-few",
                "So much is lr below its peak in the epoch before the last.",
                "how often has `step` been called before the tenth epoch begins?",
                values=0.1 * (1 - np.cos(np.pi * 8 / 340)) / 2,
            ),
            Mistake(
                "lr-itself",
                "That is lr itself. It begins at the peak: how far has it come down?",
                "subtract from the peak, and keep three digits that are not 0.",
                values=(0.09983, 0.0998),
            ),
            Mistake(
                "rounded-too-far",
                "That has too few digits: lr was rounded before you subtracted it.",
                "keep all digits of lr until the end.",
                values=2e-4,
            ),
            Mistake(
                "as-planned",
                "So far lr is down if `step` is called once per batch.",
                "how often is it called here?",
                values=tuple(0.1 * (1 - np.cos(np.pi * t / 340)) / 2 for t in (307, 339)),
            ),
            Mistake(
                "counts-epochs",
                "So far lr is down if `T_max` counts epochs too. It is 340.",
                "what does `T_max` count, and what is counted here?",
                values=0.1 * (1 - np.cos(np.pi * 9 / 10)) / 2,
            ),
            Mistake(
                "straight-line",
                "That is a straight line. Half a cosine begins flat.",
                "the fall near the peak goes with the square of the steps.",
                values=(0.1 * 9 / 340, 0.1 * 10 / 340),
            ),
        ],
        near=0.001,
    ),
)
