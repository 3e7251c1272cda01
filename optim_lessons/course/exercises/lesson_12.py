"""Lesson 12: sanity checks, instruments, float16, and twelve broken runs to diagnose."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.kinds import choice, diagnosis, function, goal, number
from optim_lessons.course.judging.mistakes import Mistake
from optim_lessons.debugging import scaled_step
from optim_lessons.studies.broken import bench

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


_FINITE = "np.isfinite(g).all()"

exercises = (
    choice(
        "12.predict_zero",
        "zero_guess",
        task="All weights and biases of the network 64-32-10 start at 0, its units are tanh. After "
        "training, which of them have moved?",
        options={
            "a": "all of them: the gradient of the loss is not 0",
            "b": "the biases of the last layer alone",
            "c": "none of them",
        },
        answer="b",
        hint="what do the hidden units hand on, and what does the error pass through on its way back?",
        because="The hidden units hand on 0, and the error comes back through weights of 0.",
        mistakes=[
            Mistake(
                "some-gradient-is-all",
                "The gradient is not 0, that is true of the whole of it. Look at it layer by layer.",
                "multiply what a layer gets by the error behind it.",
                values="a",
            ),
            Mistake(
                "saddle-at-rest",
                "The place is not quite at rest: the classes are not equally frequent in a batch.",
                "which number can change the outputs although all units hand on 0?",
                values="c",
            ),
        ],
    ),
    number(
        "12.first_loss",
        "first_loss",
        task="A network guesses the next of 27 characters. Before training, what should its cross-entropy "
        "loss be close to?",
        accept=(3.26, 3.33),
        solution="np.log(27)",
        hint="it gives each of the classes the same probability. What is the loss of that?",
        because="Minus the logarithm of 1/27.",
        mistakes=[
            Mistake(
                "log-2",
                "That is in bits. The loss uses the natural logarithm.",
                "which function does the loss use?",
                values=float(np.log2(27)),
            ),
            Mistake(
                "log-10",
                "That is the logarithm to the base 10.",
                "which function does the loss use?",
                values=float(np.log10(27)),
            ),
            Mistake(
                "probability",
                "That is the probability of a class, not the loss.",
                "what does the loss do with a probability?",
                values=1 / 27,
            ),
            Mistake(
                "ten-classes",
                "That is the loss for ten classes.",
                "how many characters are there?",
                values=float(np.log(10)),
            ),
            Mistake(
                "share-of-errors",
                "That is the share of wrong guesses.",
                "the loss is no count of errors.",
                values=26 / 27,
            ),
        ],
    ),
    diagnosis(
        "12.wrong_layer",
        "wrong_blocks",
        what="gradient",
        answer={"P": "output biases", "Q": "hidden weights", "R": "nothing", "S": "hidden biases"},
        labels={
            "nothing": "all four blocks agree with the differences",
            "hidden weights": "the rows of the first layer above its last one disagree",
            "hidden biases": "the last row of the first layer, and only that, disagrees",
            "output weights": "the rows of the last layer above its last one disagree",
            "output biases": "the last row of the last layer, and only that, disagrees",
        },
        look={
            letter: "compare block by block: rows `[:-1]` are weights, row `[-1]` holds the biases."
            for letter in "PQRS"
        },
        points=2,
        task="Four gradients P, Q, R and S of one network. In each, which block is wrong: "
        '`"hidden weights"`, `"hidden biases"`, `"output weights"`, `"output biases"`, or `"nothing"`?',
        hint="`numerical_gradient`, then `relative_error` for each block.",
        because="None of this could be seen in a curve.",
    ),
    number(
        "12.first_ratio",
        "first_ratio",
        task="A layer's weights have mean 0 and standard deviation 0.05. Adam makes its first step at lr "
        "0.001. What is its update ratio, the length of the step over the length of the weights?",
        accept=(0.0198, 0.0202),
        solution="0.001 / 0.05",
        hint="how far does Adam's first step move each weight, and how long is a vector of so many equal "
        "numbers?",
        because="Each weight moves by lr, and the number of weights cancels.",
        mistakes=[
            Mistake(
                "lr-itself",
                "That is lr, the step of one weight. It is compared with the weights.",
                "divide by the size of a weight.",
                values=0.001,
            ),
            Mistake("times", "You multiplied by the standard deviation.", "a ratio divides.", values=5e-5),
            Mistake(
                "upside-down",
                "That is the length of the weights over that of the step.",
                "which of the two is above?",
                values=50,
            ),
            Mistake(
                "variance",
                "You divided by the variance.",
                "a length goes with the standard deviation.",
                values=0.4,
            ),
            Mistake(
                "uncorrected",
                "That is the first step of Adam without bias correction.",
                "with correction, how long is the first step?",
                values=0.0632,
            ),
        ],
    ),
    choice(
        "12.predict_clip",
        "clip_guess",
        task="A training with Adam runs well; its gradients have a length near 1. You clip them to 0.01. "
        "The training ...",
        options={
            "a": "is about 100 times slower",
            "b": "hardly changes",
            "c": "stands still, since no gradient is left",
        },
        answer="b",
        hint="clipping multiplies a gradient by a number. What does Adam do with such a number?",
        because="Adam divides by the gradient's size; what is left of the clipping is that all "
        "batches count the same.",
        mistakes=[
            Mistake(
                "like-descent",
                "So it would be with plain descent. Adam divides by the size of what it is given.",
                "lesson 08 multiplied a loss by 1,000.",
                values="a",
            ),
            Mistake(
                "clipped-to-nothing",
                "Clipping shortens a gradient, it does not remove it.",
                "what is its length afterwards?",
                values="c",
            ),
        ],
    ),
    number(
        "12.smallest_half",
        "smallest_half",
        task="What is the smallest number above 0 that float16 holds?",
        accept=(5.9e-8, 6.02e-8),
        solution="2.0**-24",
        near=0.02,
        hint="the smallest exponent is -14, and 10 more binary digits follow it.",
        because="2 to the power -24: below half of that, a gradient becomes 0.",
        mistakes=[
            Mistake(
                "normal",
                "That is the smallest number with all its digits. Smaller ones have fewer.",
                "it can still be halved ten times.",
                values=2.0**-14,
            ),
            Mistake(
                "eps",
                "That is the gap between 1 and the next number, not the smallest one.",
                "the gaps shrink near 0.",
                values=2.0**-10,
            ),
            Mistake(
                "half-of-it",
                "Numbers below that become 0; those just above are rounded up.",
                "which number are they rounded up to?",
                values=2.0**-25,
            ),
            Mistake(
                "float32",
                "That number belongs to float32.",
                "count the bits of the exponent: 5.",
                values=(2.0**-126, 2.0**-149),
            ),
        ],
    ),
    function(
        "12.scaled_step",
        scaled_step,
        inputs=_steps,
        task="Write `my_scaled_step(w, g, scale, lr)`: one step of descent with the float16 gradient `g` of "
        "`scale` times the loss; if any of it is not finite, it returns `w` as it is.",
        hint="first ask whether all of `g` is finite; then change its type; then divide; then step.",
        mistakes=[
            Mistake(
                "scale-left-in",
                "The gradient is still that of the scaled loss.",
                "whose gradient is `g`, and whose do you want?",
                [("g.astype(w.dtype) / scale", "g.astype(w.dtype)")],
            ),
            Mistake(
                "scaled-twice",
                "You multiply by the scale once more.",
                "the loss was multiplied before; what undoes it?",
                [("/ scale", "* scale")],
            ),
            Mistake(
                "divided-in-float16",
                "You divide while `g` is still float16: what the scale has saved is rounded away again.",
                "change the type first.",
                [("g.astype(w.dtype)", "g")],
            ),
            Mistake(
                "never-skips",
                "A step with infinities or NaN is taken.",
                "what becomes of `w` when `g` holds an infinity?",
                [(_FINITE, "True")],
            ),
            Mistake(
                "only-nan",
                "You look for NaN alone. Too large a scale makes infinities first.",
                "which function knows both?",
                [(_FINITE, "not np.isnan(g).any()")],
            ),
            Mistake(
                "only-infinity",
                "You look for infinities alone.",
                "which function knows both?",
                [(_FINITE, "not np.isinf(g).any()")],
            ),
            Mistake(
                "all-must-be-bad",
                "You skip only if nothing of the gradient is finite.",
                "how many bad numbers spoil a step?",
                [("isfinite(g).all()", "isfinite(g).any()")],
            ),
            Mistake(
                "coordinate-by-coordinate",
                "You skip the bad coordinates and move the others: then "
                "the step goes in a direction that is nobody's gradient.",
                "the whole step is to be skipped.",
                [(_FINITE, "np.isfinite(g)")],
            ),
            Mistake(
                "climbs",
                "You add the step, so the walk goes uphill.",
                "gradients point to where the loss grows.",
                [("w - lr", "w + lr")],
            ),
            Mistake(
                "lr-forgotten",
                "`lr` does not scale the step.",
                "which letter says how far to go?",
                [("lr * g", "g")],
            ),
            Mistake(
                "zero-for-skipped",
                "A skipped step returns zeros: the training is forgotten.",
                "where do the weights stay?",
                [(", w)", ", 0 * w)")],
            ),
        ],
    ),
    goal(
        "12.repair_scale",
        "repair_scale",
        _repaired,
        task=f"The loss of a training is multiplied by {UNIT:g}, its lr divided by it; its gradients pass "
        f"through float16. Set `repair_scale` to a loss scale with which the training loss is below "
        f"{REACHED} after 160 steps.",
        solution="2.0**24",
        hint="no number of the gradient may become 0 or infinity: move the hill in the picture.",
        because="The scale lifts the gradient into the window of float16, and the step takes it out again.",
        mistakes=[
            Mistake(
                "underflow",
                "Too much of the gradient becomes 0, or has too few digits: the scale is too small.",
                "move the hill further to the right.",
            ),
            Mistake(
                "overflow",
                "Parts of the gradient become infinite, so steps are skipped: the scale is too large.",
                "move the hill back to the left.",
            ),
            Mistake(
                "power-for-scale",
                "This looks like the power above the picture: the loss is multiplied by 2 to that power.",
                "how do you write 2 to a power in Python?",
            ),
            Mistake(
                "not-positive",
                "A loss scale is above 0: it multiplies the loss.",
                "what would a loss times that be?",
            ),
        ],
    ),
    diagnosis(
        "12.diagnose_first",
        "first_diagnosis",
        answer=FIRST_SIX,
        labels={
            "lr too large": "the first step is larger than the weights, and units become stuck after it",
            "lr too small": "every step is a tiny part of the weights, and the loss falls all the same",
            "unscaled inputs": "nearly all units are stuck before the first step, at an ordinary first loss",
            "zero weights": "the first layer has no gradient at all",
            "weights too large": "the very first loss is far above that of guessing",
            "schedule ended": "the steps are ordinary at first and end all at once",
        },
        look={
            "A": "what is the loss before the first step, beside the dotted line?",
            "B": "follow the third row from left to right.",
            "C": "is there a solid line in the second row?",
            "D": "compare the fourth row before and after the first epoch.",
            "E": "look at the fourth row at step 0, then at the loss at step 0.",
            "F": "does the gradient explain how short the steps are?",
        },
        points=2,
        task="Each of the runs A to F has one of the causes "
        '`"lr too large"`, `"lr too small"`, `"unscaled inputs"`, `"zero weights"`, '
        '`"weights too large"`, `"schedule ended"`. Which has which?',
        hint="begin with step 0 in every row.",
        because="All but one could be named at step 0: the schedule had not ended yet.",
    ),
    diagnosis(
        "12.diagnose_second",
        "second_diagnosis",
        answer=SECOND_SIX,
        labels={
            "wrong gradient": "gradients and steps look ordinary, and the loss wanders up and down",
            "exploding gradients": "the very first gradient is huge, and soon nothing is finite",
            "float16 underflow": "no gradient and no step can be seen at all",
            "shuffled labels": "the training loss falls steadily while the validation loss rises",
            "decay too strong": "the weights shrink to a small part of their length",
            "no bias correction": "the first step is larger than the weights, and they grow at once",
        },
        look={
            "G": "look at the lowest row.",
            "H": "where are the lines of the second row?",
            "I": "look at the third row at step 0 and the lowest row after it.",
            "J": "compare training and validation loss: does either fall steadily?",
            "K": "how long does the run last?",
            "L": "compare the two lines of the first row.",
        },
        points=2,
        task="Each of the runs G to L has one of the causes "
        '`"wrong gradient"`, `"exploding gradients"`, `"float16 underflow"`, `"shuffled labels"`, '
        '`"decay too strong"`, `"no bias correction"`. Which has which?',
        hint="one row tells each of them apart, but it is not the same row.",
        because="One row gives each of them away, and seldom is it the loss.",
    ),
    choice(
        "12.predict_twins",
        "twins_guess",
        task="In run 1 the gradient is the sum over a batch of 32 where the mean was meant. Run 2 has the "
        "mean and an lr 32 times as large. Both are plain SGD, both log the mean loss. Which instrument "
        "tells them apart?",
        options={
            "a": "the losses",
            "b": "the update ratio",
            "c": "the length of the gradient",
        },
        answer="c",
        hint="write down the step of each of the two.",
        because="The steps are equal, so the weights are, and all that is read from them.",
        mistakes=[
            Mistake(
                "losses",
                "The two make the same steps, so their weights and losses are the same.",
                "which of the three is read before lr comes in?",
                values="a",
            ),
            Mistake(
                "ratio",
                "The steps are lr times the gradient: the same in both.",
                "which of the three is read before lr comes in?",
                values="b",
            ),
        ],
    ),
)
