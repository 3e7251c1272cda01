"""Lesson 10: AdamW and Lion. What AdamW shares with Adam, it shares in its mistakes too."""

from functools import cache

import numpy as np

from optim_lessons.course.exercises.lesson_08 import IN_ADAM, IN_ADAM_AND_AMSGRAD
from optim_lessons.course.judging.kinds import choice, diagnosis, goal, number, rule
from optim_lessons.course.judging.mistakes import Mistake
from optim_lessons.studies.overfitting import few_digits, learn, measured
from optim_lessons.weight_decay import adamw

_DECAY = " - lr * weight_decay * w"
_COUNT = "    t = t + 1\n"

# "climbs" needs an edit of its own here; "amsgrad" speaks of lesson 08's next exercise.
_ADAMS = tuple(m for m in IN_ADAM_AND_AMSGRAD + IN_ADAM if m.name not in ("climbs", "amsgrad"))

_ADAMW = (
    Mistake(
        "climbs",
        "You add Adam's step, so the walk goes uphill.",
        "gradients point to where the loss grows.",
        [("- lr * m_hat", "+ lr * m_hat")],
    ),
    Mistake(
        "l2",
        "You add `weight_decay * w` to the gradient: this is Adam with an L2 penalty, the rule that "
        "AdamW replaces.",
        "`m` and `v` must not see the decay at all.",
        [(_COUNT, _COUNT + "    g = g + weight_decay * w\n"), (_DECAY, "")],
    ),
    Mistake(
        "decay-in-m",
        "The decay goes into `m`, so it is averaged and divided by the root of `v_hat`.",
        "`m` and `v` must not see the decay at all.",
        [("(1 - beta1) * g", "(1 - beta1) * (g + weight_decay * w)"), (_DECAY, "")],
    ),
    Mistake(
        "decay-divided",
        "The decay stands over the root of `v_hat`, so weights with large gradients hardly decay.",
        "the decay is a term of its own, beside Adam's step.",
        [("lr * m_hat /", "lr * (m_hat + weight_decay * w) /"), (_DECAY, "")],
    ),
    Mistake(
        "not-times-lr",
        "The decay is not multiplied by `lr`. That is the paper's form; the course, like PyTorch, "
        "multiplies.",
        "which part of a weight is lost in a step, in the formula above?",
        [(_DECAY, " - weight_decay * w")],
    ),
    Mistake(
        "decay-forgotten",
        "Nothing decays: this is Adam.",
        "where does `weight_decay` enter?",
        [(_DECAY, "")],
    ),
    Mistake(
        "grows",
        "The decay has the wrong sign: the weights grow.",
        "a part of `w` is taken away, not added.",
        [(_DECAY, " + lr * weight_decay * w")],
    ),
    Mistake(
        "decays-the-new-w",
        "You take Adam's step first and shrink what comes out. The decay belongs to the weight from "
        "before the step.",
        "which `w` stands on the right of the formula?",
        [
            (
                "w - lr * weight_decay * w - lr * m_hat / (np.sqrt(v_hat) + eps)",
                "(1 - lr * weight_decay) * (w - lr * m_hat / (np.sqrt(v_hat) + eps))",
            )
        ],
    ),
    Mistake(
        "lr-squared",
        "The decay is multiplied by `lr` twice.",
        "count the factors in front of `w`: there are two.",
        [(_DECAY, " - lr * lr * weight_decay * w")],
    ),
    Mistake(
        "decay-alone",
        "You keep only the part of `w` that should be lost.",
        "the part that stays is 1 minus the part that goes.",
        [("w - lr * weight_decay * w", "lr * weight_decay * w")],
    ),
    Mistake(
        "sign-decay",
        "Every weight loses the same amount, whatever its size: that is an L1 penalty, beside the step.",
        "a decay takes the same part of each weight.",
        [(_DECAY, " - lr * weight_decay * np.sign(w)")],
    ),
    Mistake(
        "twice",
        "The decay is twice as strong: that comes from a penalty without its one half.",
        "the slope of half a square is not two times.",
        [(_DECAY, " - 2 * lr * weight_decay * w")],
    ),
    Mistake(
        "half",
        "The decay is half as strong: the one half of the penalty is gone once the slope is taken.",
        "what is the slope of half a square?",
        [(_DECAY, " - 0.5 * lr * weight_decay * w")],
    ),
    Mistake(
        "decays-m",
        "What decays is `m_hat`, not the weight.",
        "the pull goes to `w` = 0.",
        [(_DECAY, " - lr * weight_decay * m_hat")],
    ),
    Mistake(
        "decays-the-step",
        "The decay shrinks the step, not the weight.",
        "a weight without any gradient has to shrink too.",
        [(_DECAY, ""), ("w - lr * m_hat", "w - (1 - lr * weight_decay) * lr * m_hat")],
    ),
    Mistake(
        "lr-for-both-forgotten",
        "Neither the decay nor Adam's step is multiplied by `lr`.",
        "both terms carry the factor `lr`.",
        [(_DECAY, " - weight_decay * w"), ("lr * m_hat", "m_hat")],
    ),
)


def lion(w, g, m=0.0, *, lr=1e-4, beta1=0.9, beta2=0.99, weight_decay=0.01):
    """Step by lr in the sign of an average, with decay beside the step: every step has one length.

        w ← w − lr·weight_decay·w − lr·sign(β₁·m + (1 − β₁)·g)
        m ← β₂·m + (1 − β₂)·g

    The m of the step is used once; the m that is kept has a longer memory. Returns w and m.
    Source: Chen et al. 2023, https://arxiv.org/abs/2302.06675
    """
    direction = np.sign(beta1 * m + (1 - beta1) * g)
    m = beta2 * m + (1 - beta2) * g
    w = w - lr * weight_decay * w - lr * direction
    return w, m


_DIRECTION = "np.sign(beta1 * m + (1 - beta1) * g)"
_KEPT = "    m = beta2 * m + (1 - beta2) * g\n"

_LION = (
    Mistake(
        "climbs",
        "You add the step, so the walk goes uphill.",
        "gradients point to where the loss grows.",
        [("- lr * direction", "+ lr * direction")],
    ),
    Mistake(
        "sign-forgotten",
        "The step is the average itself, without its sign.",
        "how long is a step of Lion, whatever the gradient?",
        [(_DIRECTION, "beta1 * m + (1 - beta1) * g")],
    ),
    Mistake(
        "one-memory",
        "The average of the step is kept. Lion keeps another one, with the memory `beta2`.",
        "two averages are formed from the old `m`; which one is returned?",
        [("m = beta2 * m + (1 - beta2) * g", "m = beta1 * m + (1 - beta1) * g")],
    ),
    Mistake(
        "betas-swapped",
        "`beta1` and `beta2` have changed places.",
        "which of the two belongs to the step?",
        [
            (_DIRECTION, "np.sign(beta2 * m + (1 - beta2) * g)"),
            ("m = beta2 * m + (1 - beta2) * g", "m = beta1 * m + (1 - beta1) * g"),
        ],
    ),
    Mistake(
        "kept-first",
        "`m` is renewed before the step is taken, so the newest gradient counts twice.",
        "both averages start from the same old `m`.",
        [(_KEPT, ""), (f"    direction = {_DIRECTION}\n", f"{_KEPT}    direction = {_DIRECTION}\n")],
    ),
    Mistake(
        "sign-of-the-gradient",
        "The step is the sign of the newest gradient: nothing is remembered in it.",
        "the sign of what?",
        [(_DIRECTION, "np.sign(g)")],
    ),
    Mistake(
        "sign-of-the-old-m",
        "The step does not see the newest gradient.",
        "the average of the step takes in a part of `g`.",
        [(_DIRECTION, "np.sign(m)")],
    ),
    Mistake(
        "sign-kept",
        "The direction is kept as `m`, so the sizes of the gradients are forgotten.",
        "the sign is used once and thrown away.",
        [("return w, m", "return w, direction")],
    ),
    Mistake(
        "decay-forgotten",
        "Nothing decays.",
        "Lion decays its weights as AdamW does.",
        [(_DECAY, "")],
    ),
    Mistake(
        "not-times-lr",
        "The decay is not multiplied by `lr`.",
        "Lion decays its weights as AdamW does.",
        [(_DECAY, " - weight_decay * w")],
    ),
    Mistake(
        "l2",
        "You add `weight_decay * w` to the gradient, so the sign and `m` see it: that is an L2 penalty.",
        "Lion decays its weights as AdamW does: beside the step.",
        [
            (_DIRECTION, "np.sign(beta1 * m + (1 - beta1) * (g + weight_decay * w))"),
            (_DECAY, ""),
            (_KEPT, _KEPT.replace("* g", "* (g + weight_decay * w)")),
        ],
    ),
    Mistake(
        "decay-in-the-sign",
        "The decay is added to the gradient. Under a sign it decides the direction, or nothing.",
        "Lion decays its weights as AdamW does: beside the step.",
        [(_DIRECTION, "np.sign(beta1 * m + (1 - beta1) * (g + weight_decay * w))"), (_DECAY, "")],
    ),
    Mistake(
        "grows",
        "The decay has the wrong sign: the weights grow.",
        "a part of `w` is taken away, not added.",
        [(_DECAY, " + lr * weight_decay * w")],
    ),
    Mistake(
        "lr-forgotten",
        "`lr` does not scale the step.",
        "every step is as long as ...?",
        [("- lr * direction", "- direction")],
    ),
)

# The goal: AdamW on the few digits of the lesson. The tests know the window.
GOAL_LR, GOAL_LOSS = 0.01, 0.85


@cache
def loss_with(weight_decay):
    """Return the loss on training and new images after 100 epochs of AdamW at lr 0.01 on the few digits."""
    few = few_digits()
    with np.errstate(all="ignore"):
        seen = measured(few, learn(few, GOAL_LR, weight_decay))
    return float(seen["train"][-1]), float(seen["validation"][-1])


def _generalises(weight_decay):
    if weight_decay < 0:
        return "negative", ""
    if weight_decay >= 200:
        return "breaks", ""
    train, new = loss_with(float(weight_decay))
    if new <= GOAL_LOSS:
        return None
    seen = f"The loss is {train:.2f} on the training images and {new:.2f} on new ones."
    return ("too-weak" if train < 0.3 else "too-strong"), seen


_RUNS = {"A": (0.01, 10.0), "B": (0.01, 0.0), "C": (0.0003, 0.0), "D": (0.01, 2.0)}


@cache
def four_runs():
    """Return four trainings to diagnose: {"A": {"train": ..., "validation": ..., "size": ...}, ...}."""
    few = few_digits()
    return {letter: measured(few, learn(few, lr, decay)) for letter, (lr, decay) in _RUNS.items()}


exercises = (
    choice(
        "10.predict_mislabelled",
        "mislabelled_guess",
        task="30 of 150 training images carry a wrong label. Early in the training, after about 5 "
        "epochs, what does "
        "the network say of most of these 30?",
        options={
            "a": "the wrong label that it was told",
            "b": "the right label, which it was never told",
            "c": "nothing in particular: each label equally often",
        },
        answer="b",
        hint="what do the other 120 images teach it first?",
        because="It learns what the images have in common first, and the exceptions by heart later.",
        mistakes=[
            Mistake(
                "believes-all",
                "In the end it does. But a label that stands alone takes many steps.",
                "which is learned sooner: what 120 images share, or what one image says?",
                values="a",
            ),
            Mistake(
                "confused",
                "These images look like other images of their digit.",
                "what has it learned about an image that looks like a 3?",
                values="c",
            ),
        ],
    ),
    choice(
        "10.predict_pull",
        "pull_guess",
        task="Adam gets `g + l2 * w` as its gradient. Two weights are equally large; the gradients of "
        "one are ten "
        "times as large as those of the other, and pure noise. Which one does the penalty shrink faster?",
        options={
            "a": "both equally fast: the penalty pulls at both with `l2 * w`",
            "b": "the one with the small gradients, about ten times as fast",
            "c": "the one with the large gradients, about ten times as fast",
        },
        answer="b",
        hint="Adam divides everything that stands in `m` by the root of `v`, the pull too.",
        because="The same pull is divided by a ten times larger root of `v`.",
        mistakes=[
            Mistake(
                "pull-alone",
                "The pull is the same, but Adam does not step by the pull: it divides first.",
                "by what is the pull divided, for each of the two?",
                values="a",
            ),
            Mistake(
                "upside-down",
                "A large gradient makes a large divisor.",
                "what does a larger divisor do to the pull?",
                values="c",
            ),
        ],
    ),
    choice(
        "10.predict_dead",
        "dead_guess",
        task="The gradient of a weight is always 0: its pixel is blank in all images. The weight is 1. "
        "Adam with the "
        "penalty `l2` = 0.00001 runs at `lr` 0.01 (`eps` is tiny). When is half of the weight gone?",
        options={
            "a": "after about 7,000,000 steps, ln 2 / (lr · l2)",
            "b": "never: without a gradient there is no step",
            "c": "after about 55 steps, and with a larger `l2` just as soon",
        },
        answer="c",
        hint="the gradient that Adam gets is `l2 * w` alone. What is its size, divided by its own size?",
        because="Adam does not feel the scale of what it gets, and here it gets nothing but the pull.",
        mistakes=[
            Mistake(
                "descent",
                "So it would be with gradient descent, and with AdamW. Adam divides.",
                "what are `m` and the root of `v`, if the pull is all there is?",
                values="a",
            ),
            Mistake(
                "no-gradient",
                "The loss has no gradient there, but the penalty has.",
                "what does Adam get as its gradient?",
                values="b",
            ),
        ],
    ),
    rule(
        "10.adamw",
        adamw,
        task="Write AdamW: `my_adamw(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, "
        "weight_decay=0.01)` returns the new `w`, `m`, `v` and `t`.",
        hint="write Adam first; then one more term in its last line.",
        points=3,
        mistakes=_ADAMS + _ADAMW,
    ),
    number(
        "10.half_life",
        "half_life",
        task="AdamW runs at `lr` 0.002 with `weight_decay` 0.05. After how many steps has a weight "
        "without any "
        "gradient lost half of its size?",
        accept=(6900, 6960),
        solution="np.log(2) / (0.002 * 0.05)",
        hint="each step multiplies the weight by `1 - lr * weight_decay`: which power of that is one half?",
        because="6,931 steps. At such a decay, a training of 1,000 steps hardly feels it.",
        mistakes=[
            Mistake(
                "lr-forgotten",
                "That would be the half-life if the decay were not multiplied by `lr`.",
                "which part is lost in one step?",
                values=(13.51, 13.86, 14),
            ),
            Mistake(
                "memory",
                "After `1 / (lr * weight_decay)` steps the weight has fallen to 1/e, that is 0.37.",
                "solve for one half.",
                values=10_000,
            ),
            Mistake(
                "straight-line",
                "You let the weight fall along a straight line. It loses a part of what is left.",
                "after many steps, is the part of a small weight as large as at the start?",
                values=5_000,
            ),
            Mistake(
                "decay-forgotten",
                "`weight_decay` does not enter.",
                "which part is lost in one step?",
                values=346.6,
            ),
            Mistake(
                "log-ten",
                "That is the logarithm to base 10.",
                "in NumPy the natural logarithm is `np.log`.",
                values=3010.3,
            ),
        ],
    ),
    number(
        "10.decay_for",
        "decay_for",
        task="A training has 900 steps of AdamW at `lr` 0.01. Which `weight_decay` makes a weight "
        "without gradient lose "
        "nine tenths of its size by the end?",
        accept=(0.2535, 0.2605),
        solution="np.log(10) / (0.01 * 900)",
        hint="one tenth is left: `(1 - lr * weight_decay)` to the power 900 is 0.1.",
        because="25 times the usual 0.01: for so short a training the usual one hardly exists.",
        mistakes=[
            Mistake(
                "half",
                "That leaves one half, not one tenth.",
                "which logarithm belongs to one tenth?",
                values=0.0770,
            ),
            Mistake(
                "nine-tenths-left",
                "That leaves nine tenths.",
                "what is lost, and what is left?",
                values=0.011707,
            ),
            Mistake(
                "straight-line",
                "You let the weight fall along a straight line. It loses a part of what is left.",
                "what is `(1 - lr * weight_decay)` to the power 900 with your number?",
                values=0.1,
            ),
            Mistake(
                "memory",
                "That leaves 1/e, that is 0.37.",
                "which logarithm belongs to one tenth?",
                values=0.11111,
            ),
            Mistake(
                "lr-forgotten",
                "That would do if the decay were not multiplied by `lr`.",
                "one factor of the decay is missing.",
                values=(0.002558, 0.0025551),
            ),
            Mistake(
                "log-two",
                "That is the logarithm to base 2.",
                "in NumPy the natural logarithm is `np.log`.",
                values=0.36910,
            ),
        ],
    ),
    number(
        "10.largest_weight",
        "largest_weight",
        task="A gradient keeps its sign for ever, so each of Adam's steps is `lr` long. AdamW runs at "
        "`lr` 0.003 with "
        "`weight_decay` 0.04. To which size does the weight grow?",
        accept=(24.7, 25.3),
        solution="1 / 0.04",
        hint="the weight stands still where the decay of one step is as long as Adam's step.",
        because="At 25 the decay takes back what each step gives. `lr` says how soon, not how far.",
        mistakes=[
            Mistake(
                "lr-over-decay",
                "That would be the size if the decay were not multiplied by `lr`.",
                "write down both parts of one step: what cancels?",
                values=0.075,
            ),
            Mistake(
                "both-below",
                "You divided by `lr` too. That is the time it takes, in steps, not the size.",
                "write down both parts of one step: what cancels?",
                values=8333.3,
            ),
            Mistake(
                "noise",
                "That is the size which pure noise gives.",
                "here all steps have one sign.",
                values=0.19365,
            ),
            Mistake(
                "decay-itself",
                "The stronger the decay, the smaller the weight.",
                "where do the two parts of a step cancel?",
                values=0.04,
            ),
        ],
    ),
    choice(
        "10.predict_valley",
        "valley_guess",
        task="In the map of AdamW (decay times lr), 900 steps, every pixel a training: how does the "
        "best decay move when "
        "lr grows from 0.001 to 0.1?",
        options={
            "a": "down as 1/lr, so that lr · decay stays the same",
            "b": "it hardly moves",
            "c": "up in proportion to lr",
        },
        answer="b",
        hint="where does a weight come to rest, once the half-life is shorter than the training?",
        because="At rest lr stands on both sides and cancels; with the decay of the paper it does not.",
        mistakes=[
            Mistake(
                "product",
                "The product sets how fast a weight decays. With these decays the half-life is "
                "shorter than the "
                "training, so what counts is where it comes to rest.",
                "does lr enter the size at rest?",
                values="a",
            ),
            Mistake(
                "not-times-lr",
                "So it is when the decay is not multiplied by lr.",
                "in AdamW, does lr enter the size at rest?",
                values="c",
            ),
        ],
    ),
    goal(
        "10.goal",
        "goal_decay",
        _generalises,
        task=f"AdamW at `lr` {GOAL_LR} on the 150 images of the lesson, 100 epochs. Without decay the "
        f"loss on new images "
        f"ends at 1.06. Set `goal_decay` to a `weight_decay` with which it ends at {GOAL_LOSS} or below.",
        solution=2.0,
        hint="300 steps at lr 0.01: for which decay is the half-life well inside the training?",
        because="The decay holds the weights while the wrong labels pull.",
        mistakes=[
            Mistake(
                "too-weak",
                "The decay is too weak: the training images are fitted so closely that new ones suffer.",
                "the rest size of a weight is about one over the decay.",
            ),
            Mistake(
                "too-strong",
                "The decay is too strong: the weights are so small that the network is not sure even of the "
                "right labels.",
                "the rest size of a weight is about one over the decay.",
            ),
            Mistake(
                "negative",
                "A negative decay makes the weights grow.",
                "which part of a weight is to go?",
            ),
            Mistake(
                "breaks",
                "lr · decay is 2 or more: each step throws the weight to the other side, and further out.",
                "the factor is `1 - lr * weight_decay`: when is its size below 1?",
            ),
        ],
    ),
    diagnosis(
        "10.diagnose",
        "decay_diagnosis",
        answer={"A": "too much decay", "B": "no decay", "C": "lr too small", "D": "decay that fits"},
        labels={
            "no decay": "the training loss falls to 0, the other one climbs, and the weights grow to the end",
            "too much decay": "the weights shrink far below their start, and both losses stay high",
            "lr too small": "the weights hardly change, and both losses are still falling at the end",
            "decay that fits": "the training loss stops above 0, and the other one hardly climbs",
        },
        look={
            "A": "what became of the size of the weights?",
            "B": "where does the training loss end, and do the weights still grow?",
            "C": "are the losses still falling at the end?",
            "D": "where does the training loss end, and does the other loss climb?",
        },
        points=2,
        task='Each of the trainings A, B, C and D has one of the causes `"no decay"`, `"too much decay"`, '
        '`"lr too small"`, `"decay that fits"`. Which has which?',
        hint="the size of the weights first, then the distance between the two losses.",
        because="The size of the weights tells a decayed training from a slow one.",
    ),
    rule(
        "10.lion",
        lion,
        name="lion",
        task="Write `lion(w, g, m=0.0, *, lr=1e-4, beta1=0.9, beta2=0.99, weight_decay=0.01)`, which "
        "steps by the sign "
        "of an average and decays as AdamW does. It returns the new `w` and `m`.",
        hint="three lines: the direction from the old `m`, the new `m`, the new `w`.",
        points=3,
        mistakes=_LION,
    ),
)
