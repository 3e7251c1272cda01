"""The failure gallery of page 00: nine small pictures, one slider each, the failure and its cure on it."""

import numpy as np

from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam, amsgrad
from optim_lessons.bridge import adam_uncorrected
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.live import Scene
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, RULE_STYLES, height_map, inside
from optim_lessons.landscapes import lessard_recht_packard, plateau, quadratic, reddi, saddle
from optim_lessons.momentum import momentum
from optim_lessons.rmsprop import rmsprop
from optim_lessons.sgd import noisy, sgd

LOOKS = {
    "gradient descent": RULE_STYLES["gradient_descent"],
    "SGD": RULE_STYLES["sgd"],
    "momentum": RULE_STYLES["momentum"],
    "AdaGrad": RULE_STYLES["adagrad"],
    "RMSProp": RULE_STYLES["rmsprop"],
    "Adam": RULE_STYLES["adam"],
    "uncorrected": RULE_STYLES["adam"] | {"color": ALERT, "linestyle": "--"},
    "AMSGrad": RULE_STYLES["amsgrad"],
}
GROUND, QUIET = "#7f9dbb", "#c5cdd5"
RAVINE = quadratic(condition=20)  # its largest curvature L is 1


def too_large_lr(steps=100):
    """Return the picture of gradient descent in a ravine, below and above 2/L. Knob: lr."""
    start = np.array([-4.0, 0.5])

    def show(lr):
        ws = path(gradient_descent, RAVINE.grad, start, steps, lr=lr)
        return {"gradient descent": _from_above(RAVINE, ws)}, f"lr {lr:.4g}: the walk {_fate(ws)}."

    lrs = np.linspace(1, 2.1, 56).round(2)
    return _failure("lr", lrs, 2.02, ["gradient descent"], _map(RAVINE, steps, (1e-5, 1e3)), show)


def too_large_lr_for_momentum(steps=100, beta=0.9):
    """Return the picture of gradient descent and momentum, each past its own limit. Knob: lr."""
    rules = {"gradient descent": (gradient_descent, {}), "momentum": (momentum, {"beta": beta})}
    start = np.array([-4.0, 0.1])

    def show(lr):
        ws = {
            name: path(rule, RAVINE.grad, start, steps, lr=lr, **knobs)
            for name, (rule, knobs) in rules.items()
        }
        drawn = {name: _from_above(RAVINE, w) for name, w in ws.items()}
        return drawn, f"lr {lr:.4g}: " + "; ".join(f"{name} {_fate(w)}" for name, w in ws.items()) + "."

    lrs = np.linspace(0.2, 4, 77).round(2)
    return _failure("lr", lrs, 1.9, list(rules), _map(RAVINE, steps, (1e-5, 1e3)), show)


def cycling(steps=60, wait=600):
    """Return the picture of momentum, tuned for quadratics, in a convex valley that is none. Knob: lr."""
    beta, best = 4 / 9, 1 / 9
    ground = np.linspace(-4, 4, 401)
    slopes = lessard_recht_packard(ground)
    heights = np.concatenate([[0], np.cumsum((slopes[1:] + slopes[:-1]) / 2 * np.diff(ground))])
    heights -= heights.min()

    def prepare(left, right):
        left.plot(ground, heights, color=GROUND)
        left.set(xlim=(-4, 4), ylim=(-15, 200), xlabel="w", ylabel="loss")
        right.axhline(0, color=QUIET, linewidth=1)
        right.set(xlim=(0, steps), ylim=(-4, 4), xlabel="step", ylabel="w")

    def show(lr):
        ws = path(momentum, lessard_recht_packard, np.array([3.3]), wait, lr=lr, beta=beta)[:, 0]
        seen = ws[: steps + 1]
        drawn = {"momentum": ((seen, np.interp(seen, ground, heights)), (np.arange(steps + 1), seen))}
        if abs(ws[-1]) < 1e-6:
            return drawn, f"lr {lr:.4g}: it arrives at the minimum, 0."
        places = ", ".join(f"{w:.2f}" for w in np.sort(ws[-3:]))
        return drawn, f"lr {lr:.4g}: even after {wait} steps it jumps round and round: {places}."

    lrs = [*np.linspace(0.02, 0.1, 17).round(3), best]
    return _failure("lr", lrs, best, ["momentum"], prepare, show)


def collapse(steps=300):
    """Return the picture of AdaGrad after one steep slope, and of RMSProp. Knob: first_slope."""
    runs = {"AdaGrad": (adagrad, {"lr": 1.0}), "RMSProp": (rmsprop, {"lr": 0.1, "beta": 0.9})}

    def prepare(left, right):
        left.set(xlim=(0, steps), ylim=(1e-3, 2), yscale="log", xlabel="step", ylabel="step length")
        right.set(xlim=(0, steps), ylim=(0, 35), xlabel="step", ylabel="distance walked")

    def show(first_slope):
        def grad(w, t):
            return np.full_like(w, -first_slope if t == 0 else -1)

        ws = {
            name: path(rule, grad, np.zeros(1), steps, **knobs)[:, 0] for name, (rule, knobs) in runs.items()
        }
        drawn = {name: ((np.arange(1, steps + 1), np.diff(w)), _against_step(w)) for name, w in ws.items()}
        walked = ", ".join(f"{name} {w[-1]:.3g}" for name, w in ws.items())
        return (
            drawn,
            f"First slope {first_slope:g}, all others 1: distance walked in {steps} steps: {walked}.",
        )

    slopes = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300]
    return _failure("first_slope", slopes, 100, list(runs), prepare, show, dots=False)


def uncorrected(steps=4000, lr=0.1):
    """Return the picture of Adam without bias correction, beside Adam. Knob: beta2."""
    beta2s = [0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999]
    runs = np.array(beta2s)[:, None]
    rules = {"Adam": adam, "uncorrected": adam_uncorrected}
    along = {name: path(r, np.ones_like, np.zeros(1), steps, lr=1.0, beta2=runs) for name, r in rules.items()}
    lengths = {name: -np.diff(ws[..., 0], axis=0) for name, ws in along.items()}
    down = {name: path(r, lambda w: w, np.ones(1), 100, lr=lr, beta2=runs) for name, r in rules.items()}

    def prepare(left, right):
        left.set(xlim=(1, steps), ylim=(0, 8), xscale="log", xlabel="step, where the slope is always 1")
        left.set_ylabel("step length / lr")
        right.axhline(0, color=QUIET, linewidth=1)
        right.set(xlim=(0, 100), ylim=(-0.8, 1.1), xlabel="step, in the valley ½w²", ylabel="w")

    def show(beta2):
        i = beta2s.index(beta2)
        t = np.arange(1, steps + 1)
        drawn = {name: ((t, lengths[name][:, i]), _against_step(down[name][:, i, 0])) for name in rules}
        ratio = lengths["uncorrected"][:, i] / lengths["Adam"][:, i]
        if ratio.max() <= 1.05:
            return (
                drawn,
                f"beta2 {beta2:g}: the first step is {ratio[0]:.2f} times as long as Adam's, too short.",
            )
        last = np.flatnonzero(ratio > 1.05).max() + 1
        return drawn, (
            f"beta2 {beta2:g}: uncorrected steps are up to {ratio.max():.2f} times as long as Adam's; "
            f"step {last:,} is the last that is more than 5% too long."
        )

    return _failure("beta2", beta2s, 0.999, list(rules), prepare, show, dots=False)


def too_large_eps(steps=300, lr=0.1, beta1=0.9):
    """Return the picture of Adam whose eps outweighs the root of v: it becomes momentum. Knob: eps."""

    def show(eps):
        ws = path(adam, RAVINE.grad, RAVINE.start, steps, lr=lr, beta1=beta1, eps=eps)
        same = lr * (1 - beta1) / eps
        # A momentum that diverges is no twin: it is left out.
        twin = path(momentum, RAVINE.grad, RAVINE.start, steps if same < 2 else 0, lr=same, beta=beta1)
        drawn = {"Adam": _from_above(RAVINE, ws), "momentum": _from_above(RAVINE, twin)}
        loss = f"after {steps} steps Adam's loss is {RAVINE(ws[-1]):.2g}"
        if same >= 2:
            return drawn, f"eps {eps:g}: {loss}."
        return drawn, f"eps {eps:g}: {loss}, and that of momentum at lr {same:.2g} is {RAVINE(twin[-1]):.2g}."

    sizes = [1e-8, 1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    losses = _map(RAVINE, steps, (1e-6, 10))
    return _failure("eps", sizes, 10, ["Adam", "momentum"], losses, show, dots=False)


def wrong_end(steps=300, lr=0.05):
    """Return the picture of Reddi's example: slopes 3, −1, −1, again and again. Knob: beta2."""
    rules, box = {"Adam": adam, "AMSGrad": amsgrad}, {"project": lambda w: np.clip(w, -1, 1)}

    def prepare(left, right):
        left.bar(np.arange(1, 13), [-reddi(np.zeros(1), t)[0] for t in range(12)], color="#dde6ec")
        left.axhline(0, color=QUIET, linewidth=1)
        left.text(0.5, 1.45, "bars: −slope;  lines: step / lr", color="#444444")
        left.set(xlim=(0.4, 12.6), ylim=(-3.3, 2.2), xlabel="step")
        for end, name in ((-1, "best"), (1, "worst")):
            right.axhline(end, color=QUIET, linewidth=1)
            right.text(steps, 1.1 * end, name, ha="right", va="bottom" if end > 0 else "top", color="#444444")
        right.set(xlim=(0, steps), ylim=(-1.5, 1.5), xlabel="step", ylabel="w")

    def show(beta2):
        knobs = {"lr": lr, "beta1": 0.0, "beta2": beta2} | box
        ws = {name: path(rule, reddi, np.zeros(1), steps, **knobs)[:, 0] for name, rule in rules.items()}
        drawn = {name: ((np.arange(1, 13), np.diff(w[:13]) / lr), _against_step(w)) for name, w in ws.items()}
        ends = " and ".join(f"{name} ends at {w[-1]:+.2f}" for name, w in ws.items())
        return drawn, f"beta2 {beta2:g}: {ends}; the best place is -1."

    beta2s = [0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 0.99, 0.999]
    return _failure("beta2", beta2s, 0.999, list(rules), prepare, show)


def stuck_on_a_saddle(steps=150, lr=0.5):
    """Return the picture of descent that starts exactly on a ridge. Knob: noise, of the gradient."""
    ground, start = saddle(), np.array([-1.8, 0.0])

    def prepare(left, right):
        height_map(left, ground)
        right.set(xlim=(0, steps), ylim=(-0.2, 0.5), xlabel="step", ylabel="loss")

    def show(noise):
        ws = path(sgd, noisy(ground.grad, noise, seed=0), start, steps, lr=lr)
        drawn = {"SGD": _from_above(ground, ws)}
        low = np.flatnonzero(ground(ws) < ground(ground.minima[0]) / 2)
        if low.size:
            return drawn, f"noise {noise:g}: off the ridge, and half-way down to a minimum at step {low[0]}."
        return drawn, f"noise {noise:g}: after {steps} steps it still sits on the saddle, at loss 0."

    noises = [0, 1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.3]
    return _failure("noise", noises, 0, ["SGD"], prepare, show)


def lost_on_a_plateau(steps=150):
    """Return the picture of a start so far out that there is hardly a slope. Knob: start_x."""
    ground = plateau()
    runs = {"Adam": (adam, 0.3), "gradient descent": (gradient_descent, 1.0)}

    def prepare(left, right):
        x = np.linspace(-12, 4, 200)
        left.plot(x, ground(np.stack([x, 0 * x], axis=-1)), color=GROUND)
        left.set(xlim=(-12, 4), ylim=(-0.05, 1.1), xlabel="w[0]", ylabel="loss")
        right.set(xlim=(0, steps), ylim=(-0.05, 1.1), xlabel="step", ylabel="loss")

    def show(start_x):
        start = np.array([start_x, 0.0])
        ws = {name: path(rule, ground.grad, start, steps, lr=lr) for name, (rule, lr) in runs.items()}
        drawn = {name: ((w[:, 0], ground(w)), _against_step(ground(w))) for name, w in ws.items()}
        ends = ", ".join(f"{name} {ground(w[-1]):.2g}" for name, w in ws.items())
        return drawn, f"Slope at the start {-ground.grad(start)[0]:.2g}; loss after {steps} steps: {ends}."

    return _failure("start_x", (-12.0, -3.0), -11.5, list(runs), prepare, show)


def _failure(knob, values, default, names, prepare, show, dots=True):
    """Return a small picture of two axes and one knob.

    values: the knob's choices, or its (low, high).  names: of LOOKS, one line each in each axes.
    prepare(left, right): draws what stands still.  show(value): the lines, name → ((x, y), (x, y)),
    and the reading.  dots: whether the left lines have a marker at each step.
    """

    def build(figure):
        axes = figure.add_axes((0.08, 0.2, 0.375, 0.68)), figure.add_axes((0.535, 0.2, 0.26, 0.68))
        prepare(*axes)
        looks = {name: LOOKS[name] | {"linewidth": 1.7, "markersize": 3 * dots} for name in names}
        paths = {name: axes[0].plot([], [], animated=True, **look)[0] for name, look in looks.items()}
        curves = {
            name: axes[1].plot([], [], label=name, animated=True, **look | {"marker": ""})[0]
            for name, look in looks.items()
        }
        axes[1].legend(loc="upper left", bbox_to_anchor=(1.01, 1.05), handlelength=2.4)
        setting = axes[1].set_title("", fontsize=10, animated=True)

        def move(**knobs):
            drawn, reading = show(knobs[knob])
            for name, (on_the_left, on_the_right) in drawn.items():
                paths[name].set_data(*on_the_left)
                curves[name].set_data(*on_the_right)
            setting.set_text(f"{knob.replace('_', ' ')} {knobs[knob]:.4g}")
            return reading

        return move

    values = values if isinstance(values, tuple) else [float(value) for value in values]
    return Scene(build, {knob: float(default)}, ranges={knob: values}, size=(9.6, 2.6))


def _map(landscape, steps, losses):
    def prepare(left, right):
        height_map(left, landscape)
        right.set(xlim=(0, steps), ylim=losses, yscale="log", xlabel="step", ylabel="loss")

    return prepare


def _from_above(landscape, ws):
    """Return a path's points, up to and with the first one off the map, and its losses against the step."""
    seen = np.clip(ws[: inside(ws, landscape.box) + 1], -100, 100)
    return (seen[:, 0], seen[:, 1]), _against_step(landscape(ws))


def _against_step(values):
    values = values[np.isfinite(values)]
    return np.arange(len(values)), np.minimum(values, 1e6)


def _fate(ws):
    seen = inside(ws, RAVINE.box)
    if seen < len(ws):
        return f"diverges, off the map at step {seen}"
    if abs(ws[-1, 1]) > 0.999 * abs(ws[0, 1]):
        return "jumps from wall to wall for ever"
    return f"comes down to a loss of {RAVINE(ws[-1]):.1g} in {len(ws) - 1} steps"
