"""Lesson 03: the gradient of a batch, the noise ball, batch sizes, and the mean of a walk."""

from functools import cache

import numpy as np

from optim_lessons.course.judging.kinds import choice, diagnosis, function, goal, number, rule
from optim_lessons.course.judging.mistakes import Mistake, in_the_step
from optim_lessons.lab import datasets, models
from optim_lessons.lab.path import path
from optim_lessons.sgd import batch_gradient, batches, sgd

_CHOOSE = "Xb, yb = X[rows], y[rows]"
_MEAN = "Xb.T @ errors / len(rows)"


def averaged_descent(w, g, w_mean=0.0, t=0, *, lr=0.01):
    """Step straight downhill, and keep the mean of all the places visited: the answer is w_mean.

        w ← w − lr·g        w_mean ← w_mean + (w − w_mean)/t

    w, g: weights and gradient, same shape.  w_mean: the mean of the new w of all steps.  t: steps taken.
    The walk is SGD's own; its mean shakes less. Returns the new w, w_mean and t.
    Source: Polyak and Juditsky 1992, https://doi.org/10.1137/0330046; PyTorch: ASGD
    """
    t = t + 1
    w = w - lr * g
    w_mean = w_mean + (w - w_mean) / t
    return w, w_mean, t


def _draw(rng):
    def examples(n, features):
        return rng.standard_normal(features), rng.standard_normal((n, features)), rng.standard_normal(n)

    return {
        "for 4 of 9 examples": (*examples(9, 3), rng.permutation(9)[:4]),
        "for a single example": (*examples(6, 2), rng.integers(6, size=1)),
        "where an example was drawn twice": (*examples(7, 4), np.append(rng.permutation(7)[:2], [3, 5, 3])),
        "for all examples": (*examples(5, 3), np.arange(5)),
        "where all errors are 0": (np.zeros(3), rng.standard_normal((6, 3)), np.zeros(6), np.array([1, 4])),
        "with a single weight": (*examples(5, 1), np.array([3, 0])),
        "with huge inputs": (np.ones(2), 1e8 * rng.standard_normal((5, 2)), np.zeros(5), np.array([2, 4])),
    }


# Softmax regression on digits with L2: 3 epochs in batches of 16, mean of 5 seeds; lr from 0.16 to 0.27.
EPOCHS, BATCH, L2, TARGET = 3, 16, 0.01, 0.229


@cache
def _digits(l2=L2):
    X, y = datasets.digits().train
    return models.softmax(X, y, l2=l2), X, y


def loss_after(lr, seeds=range(5)):
    """Return the loss on all training images after the exercise's 3 epochs, the mean over the seeds."""
    net, X, y = _digits()
    steps = EPOCHS * -(-len(X) // BATCH)
    losses = []
    for seed in seeds:
        rows = batches(len(X), BATCH, seed=seed)

        def grad(w, t, rows=rows):
            return net.grad(w, X[rows(t)], y[rows(t)])

        losses.append(net(path(sgd, grad, np.zeros(net.n), steps, lr=lr)[-1]))
    return float(np.mean(losses))


def _reached(lr):
    if lr <= 0:
        return "not-positive", ""
    loss = loss_after(lr)
    if loss < TARGET:
        return None
    if not loss < np.log(10):
        return "diverged", ""
    seen = f"After {EPOCHS} epochs the loss is {loss:.4g}."
    return ("ball-too-large" if loss_after(0.9 * lr) < loss else "not-arrived"), seen


@cache
def four_runs(epochs=5):
    """Return four trainings to diagnose: {"A": losses, ...}, one loss per step, on all training images.

    Softmax regression on digits with L2, in batches of 8. One run knows no shuffling, one has lost
    the pairs of image and label.
    """
    net, X, y = _digits()
    by_class = np.argsort(y, kind="stable")
    mixed = np.random.default_rng(0).permutation(len(y))
    runs = {
        "A": (0.5, X[by_class], y[by_class], "as stored"),
        "B": (0.1, X, y[mixed], "reshuffled"),
        "C": (1.0, X, y, "reshuffled"),
        "D": (0.001, X, y, "reshuffled"),
    }
    losses = {}
    for letter, (lr, inputs, labels, order) in runs.items():
        rows = batches(len(y), 8, order=order)

        def grad(w, t, inputs=inputs, labels=labels, rows=rows):
            return net.grad(w, inputs[rows(t)], labels[rows(t)])

        losses[letter] = net(path(sgd, grad, np.zeros(net.n), epochs * -(-len(y) // 8), lr=lr))
    return losses


exercises = (
    choice(
        "03.predict_batch",
        "batch_guess",
        task="The batch becomes four times as large. The error of its gradient ...",
        options={"a": "becomes a quarter", "b": "becomes a half", "c": "stays as it is"},
        answer="b",
        hint="variances of independent draws add up; what is measured here is a standard deviation.",
        because="The variance is divided by the batch size, the error by its root.",
        mistakes=[
            Mistake(
                "variance-for-deviation",
                "That is the variance. The error is a length, in the units of the gradient.",
                "what becomes of a root when what stands under it is divided by four?",
                values="a",
            ),
            Mistake(
                "no-averaging",
                "A mean of many draws shakes less than a single one.",
                "what is the variance of a mean of independent draws?",
                values="c",
            ),
        ],
    ),
    function(
        "03.batch_gradient",
        batch_gradient,
        inputs=_draw,
        task="Write the gradient of a batch for least squares, the loss ½·mean of (x·w − y)²: "
        "`my_batch_gradient(w, X, y, rows)` returns the mean over the examples whose numbers stand in "
        "`rows`.",
        hint="three lines: the batch, its errors, and the mean of error times input.",
        because="Whatever the model, this is all that changes from lesson 01.",
        mistakes=[
            Mistake(
                "sum-for-mean",
                "You add the examples' gradients up and do not divide: a larger batch makes a longer step.",
                "the loss is a mean, so its gradient is one too.",
                [(" / len(rows)", "")],
            ),
            Mistake(
                "divided-by-all",
                "You divide by the number of all examples, not of those in the batch: the step is too short.",
                "how many gradients did you add up?",
                [("len(rows)", "len(X)")],
            ),
            Mistake(
                "rows-ignored",
                "This is the gradient on all examples: `rows` is not used.",
                "the point of a batch is to look at a few examples only.",
                [(_CHOOSE, "Xb, yb = X, y"), ("len(rows)", "len(X)")],
            ),
            Mistake(
                "first-rows",
                "You take the first examples, as many as there are `rows`, not those that `rows` names.",
                "an array can be indexed with an array of numbers.",
                [(_CHOOSE, "Xb, yb = X[: len(rows)], y[: len(rows)]")],
            ),
            Mistake(
                "pairs-lost",
                "The inputs come from `rows`, but the answers do not: each input meets a foreign answer.",
                "both halves of an example have to be chosen in the same way.",
                [(_CHOOSE, "Xb, yb = X[rows], y[: len(rows)]")],
            ),
            Mistake(
                "wrong-sign",
                "The error is taken the other way round, so the gradient points downhill.",
                "prediction minus answer.",
                [("Xb @ w - yb", "yb - Xb @ w")],
            ),
            Mistake(
                "twice",
                "This is twice the gradient: the loss has a ½ in front.",
                "what does the ½ do when the square is differentiated?",
                [(_MEAN, f"2 * {_MEAN}")],
            ),
            Mistake(
                "half",
                "This is half of the gradient: the ½ of the loss is still there.",
                "what does the ½ do when the square is differentiated?",
                [(_MEAN, f"0.5 * {_MEAN}")],
            ),
            Mistake(
                "errors-squared",
                "The errors are squared, as in the loss: so the sign of each is lost.",
                "what is the derivative of a square?",
                [("Xb @ w - yb", "(Xb @ w - yb) ** 2")],
            ),
            Mistake(
                "sizes-of-errors",
                "You take the sizes of the errors: then the weights do not hear on which side they err.",
                "a prediction that is too low has to push the other way.",
                [("Xb @ w - yb", "np.abs(Xb @ w - yb)")],
            ),
            Mistake(
                "means-multiplied",
                "You multiply the mean error by the mean input. The mean of products is something else.",
                "first each example's own product, then the mean of them.",
                [(_MEAN, "Xb.mean(axis=0) * errors.mean()")],
            ),
            Mistake(
                "all-in-the-sum",
                "You add up over all examples, and divide by the number of those in the batch.",
                "the point of a batch is to look at a few examples only.",
                [(_CHOOSE, "Xb, yb = X, y")],
            ),
            Mistake(
                "answers-forgotten",
                "The error is the prediction alone; the answers `y` do not come in.",
                "what would the gradient be where all predictions are right?",
                [("Xb @ w - yb", "Xb @ w")],
            ),
            Mistake(
                "prediction-forgotten",
                "The weights do not come in: the error is made of the answers alone.",
                "what does the model say, before it is compared with the answers?",
                [("Xb @ w - yb", "-yb")],
            ),
            Mistake(
                "divided-by-weights",
                "You divide by the number of weights, not by the number of examples.",
                "over what is the mean taken?",
                [("len(rows)", "len(w)")],
            ),
            Mistake(
                "twice-drawn-counts-once",
                "An example that was drawn twice counts only once in your sum.",
                "draws with replacement may repeat an example, and then it has two votes.",
                [(_CHOOSE, "Xb, yb = X[np.unique(rows)], y[np.unique(rows)]")],
            ),
            Mistake(
                "loss-for-gradient",
                "You return the loss of the batch, one number; the gradient has one for each weight.",
                "differentiate it by each weight.",
                [(_MEAN, "0.5 * (errors**2).sum() / len(rows)")],
            ),
            Mistake(
                "input-forgotten",
                "You return the mean error, without the inputs: no weight learns which of them it is.",
                "by the chain rule each error meets the input that its weight multiplies.",
                [(_MEAN, "errors.sum() / len(rows)")],
            ),
            Mistake(
                "one-row-each",
                "You return one gradient per example; their mean over the batch is asked for.",
                "the result has the shape of `w`.",
                [(_MEAN, "Xb * errors[:, None]")],
            ),
        ],
    ),
    choice(
        "03.predict_ball",
        "ball_guess",
        task="In a noisy parabola `lr` becomes a quarter, and is small before and after. Far on, the radius "
        "of the noise ball ...",
        options={"a": "becomes a quarter", "b": "becomes a half", "c": "stays as it is"},
        answer="b",
        hint="a smaller step shortens each push of the noise, but the walk also forgets pushes more slowly.",
        because="Each push is a quarter as long, and four times as many are remembered: the radius goes like "
        "the root.",
        mistakes=[
            Mistake(
                "one-push",
                "A single push becomes a quarter. But the walk also remembers more of them.",
                "how many steps does it take until an old push has died out?",
                values="a",
            ),
            Mistake(
                "noise-alone",
                "The noise in the gradient stays, but the weights see it only through `lr`.",
                "what multiplies the noise in each step?",
                values="c",
            ),
        ],
    ),
    number(
        "03.ball_radius",
        "ball_radius",
        task="A parabola has the curvature 4, each gradient has noise of standard deviation 0.8, and `lr` is "
        "0.1. What is the radius of the noise ball, the standard deviation of `w` far on?",
        accept=(0.0995, 0.1005),
        solution="0.8 * np.sqrt(0.1 / (4 * (2 - 0.1 * 4)))",
        hint="in the end a step's forgetting and its new noise balance; the radius is a root.",
        because="The variance is 0.01, the radius its root.",
        mistakes=[
            Mistake(
                "variance",
                "That is the variance; the radius is the standard deviation.",
                "one root is missing.",
                values=0.01,
            ),
            Mistake(
                "small-lr",
                "That is the rule for small `lr`. Here `lr` times curvature is 0.4, which is not small.",
                "what did the approximation leave out of the bracket?",
                values=(0.08944, 0.09),
            ),
            Mistake(
                "bracket-forgotten",
                "The bracket is missing in what you divide by.",
                "how much of the square is left after one step, and how much is lost?",
                values=0.12649,
            ),
            Mistake(
                "lr-squared",
                "Under the root you have the square of `lr`. One `lr` cancels.",
                "one minus the square of `1 - lr * h` has a factor `lr`.",
                values=0.03162,
            ),
            Mistake(
                "twice-the-variance",
                "That is the root of twice the variance.",
                "the bracket holds a 2 already.",
                values=0.14142,
            ),
            Mistake(
                "one-push",
                "That is one push, `lr` times the noise; many of them add up.",
                "the old pushes have not died out yet when the next one comes.",
                values=0.08,
            ),
            Mistake(
                "loss",
                "That is the mean loss in the ball, half of curvature times variance.",
                "the radius is measured in units of `w`.",
                values=0.02,
            ),
            Mistake(
                "curvature-forgotten",
                "The curvature in front of the bracket is missing.",
                "a narrower valley holds the walk more tightly.",
                values=0.2,
            ),
            Mistake(
                "sign-in-bracket",
                "In the bracket you added `lr` times curvature.",
                "what has to become 0 at the largest stable `lr`?",
                values=0.08165,
            ),
            Mistake(
                "noise-not-squared",
                "Under the root the noise enters squared.",
                "variances add up, not standard deviations.",
                values=0.1118,
            ),
        ],
    ),
    choice(
        "03.predict_minimum",
        "minimum_guess",
        task="The weights stand exactly at the minimum of the loss on digits with L2. SGD goes on "
        "from there, in batches of 16 with a constant `lr`. The weights ...",
        options={
            "a": "stay, as the gradient is 0",
            "b": "move away a little, and then keep that distance on average",
            "c": "drift further and further away",
        },
        answer="b",
        hint="which gradient is 0 at the minimum: that of all examples, or that of each batch?",
        because="Only the mean of all gradients is 0 there; each batch still pulls its own way.",
        mistakes=[
            Mistake(
                "full-gradient-for-batch",
                "The full gradient is 0 there, but SGD never sees it.",
                "would a batch of other examples have the same minimum?",
                values="a",
            ),
            Mistake(
                "no-way-back",
                "The further away, the stronger the mean gradient pulls back.",
                "what balances the pushes of the noise?",
                values="c",
            ),
        ],
    ),
    goal(
        "03.three_epochs",
        "sgd_lr",
        _reached,
        task=f"Softmax regression on digits with `l2=0.01`, from zero, in batches of {BATCH}. After {EPOCHS} "
        f"epochs the loss on all training images, the mean of 5 seeds, shall be below {TARGET}. Set `sgd_lr` "
        "to an `lr` that does it.",
        solution=0.2,
        points=2,
        hint="a large `lr` arrives early and shakes, a small one is quiet and late.",
        because="Large enough to arrive in 3 epochs, small enough for a small ball.",
        mistakes=[
            Mistake(
                "not-arrived",
                "`sgd_lr` is too small: the walk is still on its way.",
                "three epochs are about 200 steps; which directions have no time to arrive?",
            ),
            Mistake(
                "ball-too-large",
                "`sgd_lr` is too large: the walk has arrived, and shakes too much.",
                "how does the mean loss in the ball depend on `lr`?",
            ),
            Mistake(
                "diverged",
                "With this `sgd_lr` the loss ends above its start, or nowhere.",
                "come down by a factor of ten, and look again.",
            ),
            Mistake(
                "not-positive",
                "`sgd_lr` is zero or negative: zero stays where it is, a negative step climbs.",
                "downhill takes a positive step.",
            ),
        ],
    ),
    choice(
        "03.predict_lr",
        "lr_guess",
        task="The noise of a batch is much larger than the gradient itself, and the batch becomes four "
        "times as large. The best `lr` for plain SGD ...",
        options={
            "a": "becomes four times as large",
            "b": "becomes twice as large",
            "c": "stays as it is",
        },
        answer="a",
        hint="where noise sets the limit, `lr` times the variance of the noise is what may not grow.",
        because="The noise's variance is a quarter, so four small steps become one long one. That ends at "
        "the critical batch.",
        mistakes=[
            Mistake(
                "root-rule",
                "The root rule keeps the size of a single push. What counts is four steps in one.",
                "four small steps along nearly the same gradient: which single step replaces them?",
                values="b",
            ),
            Mistake(
                "lr-fixed",
                "Then four times as many examples buy the same step as before.",
                "what is a quieter gradient good for?",
                values="c",
            ),
        ],
    ),
    number(
        "03.critical_batch",
        "critical_batch",
        task="A training needs 2,200 steps with a batch of 32 and 250 steps with a batch of 1,280, each with "
        "its best `lr`. Suppose steps = least·(1 + critical/batch). What is the critical batch?",
        accept=(312, 328),
        solution="(2200 - 250) / (250 / 32 - 2200 / 1280)",
        hint="two equations for two unknowns: divide one by the other, and the least steps are gone.",
        because="The least number of steps is 200; a batch of 320 needs twice that.",
        mistakes=[
            Mistake(
                "ends-taken-for-limits",
                "You took 250 for the least number of steps and 32 for a batch without any waste.",
                "both are only near their limits: solve the two equations exactly.",
                values=(281.6, 249.6),
            ),
            Mistake(
                "least-steps",
                "That is the least number of steps, the other unknown.",
                "which batch needs twice as many?",
                values=200,
            ),
            Mistake(
                "steps-at-the-critical-batch",
                "That is a number of steps: twice the least one.",
                "which batch needs that many?",
                values=400,
            ),
            Mistake(
                "one-of-the-batches",
                "That is one of the two batches that were tried.",
                "the critical batch lies between them.",
                values=(32, 1280),
            ),
            Mistake(
                "halfway",
                "That is a middle of the two batches; the steps did not come in.",
                "how much did the larger batch save?",
                values=(656, 202.39),
            ),
            Mistake(
                "ratio",
                "That is a ratio, not a batch.",
                "in the formula the critical batch is divided by the batch.",
                values=(8.8, 40, 10),
            ),
        ],
    ),
    diagnosis(
        "03.diagnose",
        "causes",
        answer={"A": "not shuffled", "B": "labels mixed up", "C": "noise ball", "D": "lr too small"},
        labels={
            "not shuffled": "the loss swings up and down, and each swing takes one epoch",
            "labels mixed up": "the loss never gets far below its start, whatever the `lr`",
            "noise ball": "the loss falls at once, and then shakes at a level of its own, step by step",
            "lr too small": "the loss falls smoothly and is still on its way at the end",
        },
        look={
            "A": "how long does one swing take, in epochs?",
            "B": "the start is ln 10 = 2.3, the loss of a blind guess among ten.",
            "C": "compare the first ten steps with all that follow.",
            "D": "is it level at the end?",
        },
        points=2,
        task='Each of the runs A, B, C and D has one of the causes `"not shuffled"`, `"labels mixed up"`, '
        '`"noise ball"`, `"lr too small"`. Which has which?',
        hint="look at the level, at the speed, and at the rhythm.",
        because="A rhythm of one epoch points to the order of the data, a shaking without rhythm to `lr` "
        "and batch.",
    ),
    rule(
        "03.averaged_descent",
        averaged_descent,
        name="averaged_descent",
        task="Write `averaged_descent(w, g, w_mean=0.0, t=0, *, lr=0.01)`: one step of gradient descent, "
        "with `t` counting the steps and `w_mean` the mean of the new weights of all steps so far. Return "
        "`w`, `w_mean` and `t`.",
        hint="count, step, then move the mean a part of the way towards the new `w`: which part?",
        because="The walk does not change; only what you read off it does.",
        mistakes=[
            *in_the_step("g"),
            Mistake(
                "mean-before-step",
                "The mean takes in the weights from before the step.",
                "which of the two lines comes first?",
                [
                    ("    w = w - lr * g\n", ""),
                    ("    return", "    w = w - lr * g\n    return"),
                ],
            ),
            Mistake(
                "t-not-counted",
                "`t` never grows, so the mean divides by a fixed number.",
                "`t` counts the steps taken; who adds one?",
                [("    t = t + 1\n", "")],
            ),
            Mistake(
                "t-one-ahead",
                "You divide by `t + 1` although `t` has been counted already: the start counts as a step.",
                "after the first step the mean is the new `w` itself.",
                [("/ t\n", "/ (t + 1)\n")],
            ),
            Mistake(
                "t-not-returned",
                "The new `t` is used, but the old one is returned, so each step is the first.",
                "what is returned as `t` is what comes in next time.",
                [(", t\n", ", t - 1\n")],
            ),
            Mistake(
                "sum-for-mean",
                "You add the weights up; a mean has to be divided.",
                "after ten steps at the same place, where should the mean be?",
                [("w_mean + (w - w_mean) / t", "w_mean + w")],
            ),
            Mistake(
                "sum-divided-each-time",
                "You add the new weights to the old mean, and divide the whole by `t`: old steps are divided "
                "again and again.",
                "the old mean already stands for `t - 1` steps: how much should it weigh?",
                [("w_mean + (w - w_mean) / t", "(w_mean + w) / t")],
            ),
            Mistake(
                "half-and-half",
                "Your mean is always half old and half new, so it forgets: this is a moving average.",
                "after a hundred steps the newest one should count one part in a hundred.",
                [("(w - w_mean) / t", "(w - w_mean) / 2")],
            ),
            Mistake(
                "away-from-the-new",
                "The mean moves away from the new weights: its correction has the wrong sign.",
                "after the first step the mean is the new `w` itself.",
                [("w_mean + (w - w_mean)", "w_mean - (w - w_mean)")],
            ),
            Mistake(
                "old-mean-kept-whole",
                "You add the new part to the old mean, which is kept whole.",
                "the old mean has to give up as much as the new weights get.",
                [("(w - w_mean) / t", "w / t")],
            ),
            Mistake(
                "multiplied-by-t",
                "You multiply by `t`, so each new place moves the mean more than the one before.",
                "after a hundred steps the newest one should count one part in a hundred.",
                [("(w - w_mean) / t", "(w - w_mean) * t")],
            ),
            Mistake(
                "walks-from-the-mean",
                "You step from the mean, so it changes the walk.",
                "the mean only watches.",
                [("w = w - lr * g", "w = w_mean - lr * g")],
            ),
            Mistake(
                "mean-returned-as-w",
                "You return the mean in place of the weights, so the next step starts from it.",
                "the mean only watches.",
                [("return w, w_mean", "return w_mean, w_mean")],
            ),
            Mistake(
                "averages-gradients",
                "You average the gradients, not the weights.",
                "what is to be read off in the end: a place, or a slope?",
                [("(w - w_mean) / t", "(g - w_mean) / t")],
            ),
        ],
    ),
)
