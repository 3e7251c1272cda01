"""The failure gallery of page 00: nine small pictures, one slider each, the failure and its cure on it."""

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent

from optim_lessons.lab.panels import (  # isort: skip
    ANYWHERE, Panel, Shown, from_above, knob, level, line, log, note, picture, plain, step,
)  # fmt: skip
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, RULE_STYLES, inside
from optim_lessons.landscapes import lessard_recht_packard, plateau, quadratic, reddi, saddle
from optim_lessons.momentum import momentum
from optim_lessons.pictures.gradient_descent import QUIET, ZERO
from optim_lessons.sgd import noisy, sgd
from optim_lessons.studies import failures as study
from optim_lessons.studies.valley import valley_height

NAMES = "gradient descent", "SGD", "momentum", "AdaGrad", "RMSProp", "Adam", "AMSGrad"
LOOKS = {name: RULE_STYLES[name.lower().replace(" ", "_")] for name in NAMES}
LOOKS["uncorrected"] = LOOKS["Adam"] | {"color": ALERT, "linestyle": "--"}
GROUND = "#7f9dbb"
RAVINE = quadratic(condition=20)  # its largest curvature L is 1


def too_large_lr(steps=100):
    """Return the picture of gradient descent in a ravine, below and above 2/L. Knob: lr."""
    rules = {"gradient descent": (gradient_descent, {})}
    return _down_the_ravine(rules, np.array([-4.0, 0.5]), np.linspace(1, 2.1, 56), 2.02, steps)


def too_large_lr_for_momentum(steps=100, beta=0.9):
    """Return the picture of gradient descent and momentum, each past its own limit. Knob: lr."""
    rules = {"gradient descent": (gradient_descent, {}), "momentum": (momentum, {"beta": beta})}
    return _down_the_ravine(rules, np.array([-4.0, 0.1]), np.linspace(0.2, 4, 77), 1.9, steps)


def _down_the_ravine(rules, start, lrs, default, steps):
    def show(lr):
        drawn, said = {}, []
        for name, (rule, knobs) in rules.items():
            ws = path(rule, RAVINE.grad, start, steps, lr=lr, **knobs)
            drawn[name] = _from_above(RAVINE, ws)
            said.append(f"{name if len(rules) > 1 else 'the walk'} {_fate(ws)}")
        return drawn, f"lr {lr:.4g}: {'; '.join(said)}."

    panels = _above(RAVINE, steps, 1e-5, 1e3)
    return _failure("lr", lrs.round(2), default, list(rules), *panels, show)


def cycling(steps=60, wait=600):
    """Return the picture of momentum, tuned for quadratics, in a convex valley that is none. Knob: lr."""
    beta, best = 4 / 9, 1 / 9
    ground = np.linspace(-4, 4, 401)
    heights = valley_height(ground)
    left = Panel(None, ("w", -4, 4), ("loss", -15, 200), valley=line(GROUND, (ground, heights)))
    right = Panel(None, step(steps), ("w", -4, 4), zero=ZERO)

    def show(lr):
        ws = path(momentum, lessard_recht_packard, np.array([3.3]), wait, lr=lr, beta=beta)[:, 0]
        seen = ws[: steps + 1]
        drawn = {"momentum": ((seen, np.interp(seen, ground, heights)), seen)}
        if abs(ws[-1]) < 1e-6:
            return drawn, f"lr {lr:.4g}: it arrives at the minimum, 0."
        places = ", ".join(f"{w:.2f}" for w in np.sort(ws[-3:]))
        return drawn, f"lr {lr:.4g}: even after {wait} steps it jumps round and round: {places}."

    lrs = [*np.linspace(0.02, 0.1, 17).round(3), best]
    return _failure("lr", lrs, best, ["momentum"], left, right, show)


def collapse(steps=300):
    """Return the picture of AdaGrad after one steep slope, and of RMSProp. Knob: first_slope."""
    left = Panel(None, step(steps), log("step length", 1e-3, 2))
    right = Panel(None, step(steps), ("distance walked", 0, 35))

    def show(first_slope):
        ws = study.after_a_steep_slope(first_slope, steps)
        drawn = {name: ((np.arange(1, steps + 1), np.diff(w)), w) for name, w in ws.items()}
        walked = ", ".join(f"{name} {w[-1]:.3g}" for name, w in ws.items())
        told = f"First slope {first_slope:g}, all others 1: distance walked in {steps} steps: {walked}."
        return drawn, told

    slopes = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300]
    return _failure("first_slope", slopes, 100, ["AdaGrad", "RMSProp"], left, right, show, dots=False)


def uncorrected(steps=4000, lr=0.1):
    """Return the picture of Adam without bias correction, beside Adam. Knob: beta2."""
    beta2s = [0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999]
    lengths, down = study.uncorrected(beta2s, steps, lr)
    left = Panel(None, log("step, where the slope is always 1", 1, steps), ("step length / lr", 0, 8))
    right = Panel(None, step(100, "step, in the valley ½w²"), ("w", -0.8, 1.1), zero=ZERO)

    def show(beta2):
        i, t = beta2s.index(beta2), np.arange(1, steps + 1)
        drawn = {name: ((t, lengths[name][:, i]), down[name][:, i]) for name in lengths}
        ratio = lengths["uncorrected"][:, i] / lengths["Adam"][:, i]
        if ratio.max() <= 1.05:
            told = f"the first step is {ratio[0]:.2f} times as long as Adam's, too short."
        else:
            last = np.flatnonzero(ratio > 1.05).max() + 1
            told = f"uncorrected steps are up to {ratio.max():.2f} times as long as Adam's; "
            told += f"step {last:,} is the last that is more than 5% too long."
        return drawn, f"beta2 {beta2:g}: {told}"

    return _failure("beta2", beta2s, 0.999, list(lengths), left, right, show, dots=False)


def too_large_eps(steps=300, lr=0.1, beta1=0.9):
    """Return the picture of Adam whose eps outweighs the root of v: it becomes momentum. Knob: eps."""

    def show(eps):
        same, ws = study.too_large_eps(RAVINE, eps, steps=steps, lr=lr, beta1=beta1)
        drawn = {name: _from_above(RAVINE, w) for name, w in ws.items()}
        adams, momentums = (f"{RAVINE(w[-1]):.2g}" for w in ws.values())
        loss = f"after {steps} steps Adam's loss is {adams}"
        if same >= 2:
            return drawn, f"eps {eps:g}: {loss}."
        return drawn, f"eps {eps:g}: {loss}, and that of momentum at lr {same:.2g} is {momentums}."

    sizes = [1e-8, 1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    panels = _above(RAVINE, steps, 1e-6, 10)
    return _failure("eps", sizes, 10, ["Adam", "momentum"], *panels, show, dots=False)


def wrong_end(steps=300, lr=0.05):
    """Return the picture of Reddi's example: slopes 3, −1, −1, again and again. Knob: beta2."""
    slopes = [-reddi(np.zeros(1), t)[0] for t in range(12)]
    left = Panel(None, ("step", 0.4, 12.6), ("", -3.3, 2.2))
    left.add(bars=lambda ax: ax.bar(np.arange(1, 13), slopes, color="#dde6ec"), zero=ZERO)
    left.add(words=note(0.5, 1.45, "bars: −slope;  lines: step / lr", color="#444444"))
    right = Panel(None, step(steps), ("w", -1.5, 1.5))
    for end, name, va in ((-1, "best", "top"), (1, "worst", "bottom")):
        right.add(**{f"{name} level": level(QUIET, end, linewidth=1)})
        right.add(**{f"the {name}": note(steps, 1.1 * end, name, ha="right", va=va, color="#444444")})

    def show(beta2):
        ws = study.to_the_wrong_end(beta2, steps, lr)
        drawn = {name: ((np.arange(1, 13), np.diff(w[:13]) / lr), w) for name, w in ws.items()}
        ends = " and ".join(f"{name} ends at {w[-1]:+.2f}" for name, w in ws.items())
        return drawn, f"beta2 {beta2:g}: {ends}; the best place is -1."

    beta2s = [0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 0.99, 0.999]
    return _failure("beta2", beta2s, 0.999, ["Adam", "AMSGrad"], left, right, show)


def stuck_on_a_saddle(steps=150, lr=0.5):
    """Return the picture of descent that starts exactly on a ridge. Knob: noise, of the gradient."""
    ground, start = saddle(), np.array([-1.8, 0.0])
    right = Panel(None, step(steps), ("loss", -0.2, 0.5))

    def show(noise):
        ws = path(sgd, noisy(ground.grad, noise, seed=0), start, steps, lr=lr)
        drawn = {"SGD": _from_above(ground, ws)}
        low = np.flatnonzero(ground(ws) < ground(ground.minima[0]) / 2)
        if low.size:
            return drawn, f"noise {noise:g}: off the ridge, and half-way down to a minimum at step {low[0]}."
        return drawn, f"noise {noise:g}: after {steps} steps it still sits on the saddle, at loss 0."

    noises = [0, 1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.3]
    return _failure("noise", noises, 0, ["SGD"], from_above(None, ground), right, show)


def lost_on_a_plateau(steps=150):
    """Return the picture of a start so far out that there is hardly a slope. Knob: start_x."""
    ground, x = plateau(), np.linspace(-12, 4, 200)
    runs = {"Adam": (adam, 0.3), "gradient descent": (gradient_descent, 1.0)}
    left, right = (Panel(None, side, ("loss", -0.05, 1.1)) for side in (("w[0]", -12, 4), step(steps)))
    left.add(profile=line(GROUND, (x, ground(np.stack([x, 0 * x], axis=-1)))))

    def show(start_x):
        start = np.array([start_x, 0.0])
        ws = {name: path(rule, ground.grad, start, steps, lr=lr) for name, (rule, lr) in runs.items()}
        drawn = {name: ((w[:, 0], ground(w)), ground(w)) for name, w in ws.items()}
        ends = ", ".join(f"{name} {ground(w[-1]):.2g}" for name, w in ws.items())
        return drawn, f"Slope at the start {-ground.grad(start)[0]:.2g}; loss after {steps} steps: {ends}."

    return _failure("start_x", (-12.0, -3.0), -11.5, list(runs), left, right, show)


def _failure(knob_name, values, default, names, left, right, show, dots=True):
    """Return a small picture of two panels and one knob.

    values: the knob's choices, or its (low, high).  names: of LOOKS, one line each in each panel.  left,
    right: the panels, with what stands still.  show(value): the lines, name → (left, right), and the reading.
    dots: whether the left lines have a marker at each step.
    """
    left.place, right.place = (0.08, 0.2, 0.375, 0.68), (0.535, 0.2, 0.26, 0.68)
    right.title = f"{knob_name.replace('_', ' ')} {{{knob_name}:.4g}}"
    right.legend = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.05), "handlelength": 2.4}
    for name in names:
        look = LOOKS[name] | {"linewidth": 1.7, "markersize": 3 * dots}
        left.add(**{f"{name}, left": line(look, within=ANYWHERE)})
        right.add(**{name: plain(look, label=name, within=(-np.inf, 1e6))})

    def shown(**knobs):
        drawn, reading = show(knobs[knob_name])
        data = {name: pair[1] for name, pair in drawn.items()}
        return Shown(reading, **data, **{f"{name}, left": pair[0] for name, pair in drawn.items()})

    ends = values if isinstance(values, tuple) else [[float(value) for value in values]]
    return picture([left, right], shown, figsize=(9.6, 2.6), **{knob_name: knob(float(default), *ends)})


def _above(landscape, steps, low, high):
    """Return the two panels of a walk on a landscape: from above, and its loss."""
    return from_above(None, landscape), Panel(None, step(steps), log("loss", low, high))


def _from_above(landscape, ws):
    """Return a path's points, up to and with the first one off the map, and its losses."""
    return np.clip(ws[: inside(ws, landscape.box) + 1], -100, 100), landscape(ws)


def _fate(ws):
    seen = inside(ws, RAVINE.box)
    if seen < len(ws):
        return f"diverges, off the map at step {seen}"
    if abs(ws[-1, 1]) > 0.999 * abs(ws[0, 1]):
        return "jumps from wall to wall for ever"
    return f"comes down to a loss of {RAVINE(ws[-1]):.1g} in {len(ws) - 1} steps"
