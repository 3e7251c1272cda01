"""The pictures of lesson 02: differences, convexity, saddles, plateaus, Newton's step, a network's slice."""

import itertools

import numpy as np

from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.live import Handle, Scene
from optim_lessons.lab.path import iterate, path
from optim_lessons.lab.plots import (
    ALERT,
    Picture,
    counted,
    height_bands,
    height_map,
    look,
    new_figure,
    path_line,
    rule_style,
    set_path,
)
from optim_lessons.landscapes import (
    Landscape,
    hessian,
    himmelblau,
    plateau,
    quadratic,
    rosenbrock,
    saddle,
)
from optim_lessons.sgd import noisy

LINE = rule_style(gradient_descent)
CENTRAL, ONE_SIDED = "#0060a8", "#b87700"
NEWTON = {"color": "#7b4a12", "linestyle": "-", "marker": "h"}
AXES = (0.075, 0.135, 0.42, 0.77), (0.6, 0.135, 0.375, 0.77)
DTYPES = {"float64": np.float64, "float32": np.float32}


# --- checking a gradient -----------------------------------------------------------------------------


def central(f, w, h):
    """Return the slope of f at w by a central difference; w and h are numbers or arrays of one dtype."""
    return (f(w + h) - f(w - h)) / (2 * h)


def one_sided(f, w, h):
    """Return the slope of f at w by a one-sided difference."""
    return (f(w + h) - f(w)) / h


def unit_roundoff(precision):
    """Return u, the largest relative error of one rounding: half the gap between 1 and the next number."""
    return float(np.finfo(DTYPES[precision]).eps) / 2


def differences():
    """Return the scene of a slope measured by differences: the neighbourhood of w, and the error against h.

    The function is exp, all of whose derivatives are known. Knobs: h, w and precision.
    """
    hs = np.geomspace(1e-16, 1, 193)
    offsets = np.linspace(-1.6, 1.6, 321)

    def build(figure):
        left, right = (figure.add_axes(place) for place in AXES)
        left.set(xlim=(-1.6, 1.6), ylim=(-2.2, 2.9), xlabel="distance from w, in units of h")
        left.set(ylabel="rise of eʷ, in units of h · slope")
        left.plot(offsets, offsets, color="#c5cdd5", linewidth=5, label="true slope")
        curve = left.plot([], [], color="#222222", linewidth=1, animated=True, label="eʷ as computed")[0]
        chords = {
            name: left.plot([], [], style, color=colour, markersize=7, animated=True, label=name)[0]
            for name, style, colour in (("central", "o-", CENTRAL), ("one-sided", "s--", ONE_SIDED))
        }
        left.legend(loc="upper left")
        right.set(xscale="log", yscale="log", xlim=(1e-16, 1), ylim=(1e-14, 30))
        right.set(xlabel="h", ylabel="relative error of the slope")
        theory = [right.plot([], [], color="#c5cdd5", linewidth=6, animated=True)[0] for _ in range(2)]
        errors = {
            name: right.plot([], [], style, color=colour, linewidth=1.3, animated=True)[0]
            for name, style, colour in (("central", "-", CENTRAL), ("one-sided", "--", ONE_SIDED))
        }
        here = {
            name: right.plot([], [], style, color=colour, markersize=9, animated=True)[0]
            for name, style, colour in (("central", "o", CENTRAL), ("one-sided", "s", ONE_SIDED))
        }
        left.set_title("the neighbourhood of w")
        settings = right.set_title("", fontsize=10, animated=True)

        def move(*, h, w, precision):
            kind = DTYPES[precision]
            point, step = kind(w), kind(h)
            slope = np.exp(float(point))
            unit = float(step) * slope
            rise = lambda x: (np.exp(point + kind(x) * step) - np.exp(point)).astype(float) / unit  # noqa: E731
            curve.set_data(offsets, np.clip([rise(x) for x in offsets], -9, 9))
            chords["central"].set_data([-1, 1], np.clip([rise(-1), rise(1)], -9, 9))
            chords["one-sided"].set_data([0, 1], np.clip([0, rise(1)], -9, 9))
            wrong = {}
            for name, rule in (("central", central), ("one-sided", one_sided)):
                off = np.abs(rule(np.exp, point, hs.astype(kind)).astype(float) / slope - 1)
                wrong[name] = float(abs(rule(np.exp, point, step) / slope - 1))
                errors[name].set_data(hs, np.maximum(off, 1e-18))
                here[name].set_data([h], [max(wrong[name], 1.3e-14)])
            rounding = unit_roundoff(precision) * (1 + abs(w))
            for line, size, heights in zip(theory, (hs**2 / 6, hs / 2), (1, 2), strict=True):
                line.set_data(hs, size + heights * rounding / hs)
            settings.set_text(f"h {h:.2g}   w {w:.3g}   {precision}")
            why = (
                "The curve bends: h is too large."
                if h**2 / 6 > 3 * rounding / h
                else "Rounding: h is too small."
                if h**2 / 6 < rounding / h / 10
                else "This is near the best h for the central difference."
            )
            return (
                f"h {h:.2g} in {precision}: the central difference is wrong by {wrong['central']:.1g} of the "
                f"slope, the one-sided one by {wrong['one-sided']:.1g}. {why}"
            )

        return move

    return Scene(build, {"h": 0.3, "w": 1.0, "precision": "float64"})


# --- convex or not -----------------------------------------------------------------------------------


def bumpy(w, bumps):
    """Return ½w² + bumps·(1 − cos 2w), the function of `chord`."""
    return 0.5 * w**2 + bumps * (1 - np.cos(2 * w))


def bumpy_curvature(w, bumps):
    """Return its second derivative."""
    return 1 + 4 * bumps * np.cos(2 * w)


def chord():
    """Return the scene of a chord over a curve, and of the curve's curvature. Knobs: bumps, a and b."""
    w = np.linspace(-4, 4, 401)

    def build(figure):
        left, right = (figure.add_axes(place) for place in AXES)
        left.set(xlim=(-4, 4), ylim=(-0.5, 13), xlabel="w", ylabel="loss")
        right.set(xlim=(-4, 4), ylim=(-8, 8), xlabel="w", ylabel="curvature (second derivative)")
        right.axhline(0, color=ALERT, linewidth=1, linestyle="--")
        right.axhspan(-8, 0, color=ALERT, alpha=0.08)
        right.text(0, -7.2, "below 0: bends downwards", ha="center", color=ALERT)
        curve = left.plot([], [], color=LINE["color"], animated=True)[0]
        line = left.plot([], [], "s--", color=ONE_SIDED, markersize=8, animated=True)[0]
        above = left.plot([], [], color=ALERT, linewidth=5, alpha=0.6, animated=True)[0]
        bend = right.plot([], [], color=CENTRAL, animated=True)[0]
        left.set_title("curve and chord")
        settings = right.set_title("", fontsize=10, animated=True)

        def move(*, bumps, a, b):
            heights, curvature = bumpy(w, bumps), bumpy_curvature(w, bumps)
            curve.set_data(w, heights)
            ends = np.array([a, b])
            line.set_data(ends, bumpy(ends, bumps))
            low, high = np.sort(ends)
            inner = np.linspace(low, high, 201)
            share = (inner - low) / (high - low) if high > low else 0 * inner
            on_chord = (1 - share) * bumpy(low, bumps) + share * bumpy(high, bumps)
            over = bumpy(inner, bumps) > on_chord + 1e-9
            above.set_data(inner, np.where(over, bumpy(inner, bumps), np.nan))
            bend.set_data(w, curvature)
            settings.set_text(f"bumps {bumps:.3g}   a {a:.3g}   b {b:.3g}")
            here = "rises above this chord" if over.any() else "stays below this chord"
            verdict = "convex" if bumps <= 0.25 else "not convex"
            return (
                f"The curve {here}. The smallest curvature is {1 - 4 * bumps:.3g}: the function is {verdict}."
            )

        return move

    ends = (Handle(0, "a", None), Handle(0, "b", None))
    return Scene(build, {"bumps": 0.0, "a": -3.0, "b": 2.0}, handles=ends)


# --- minima, saddles, plateaus -----------------------------------------------------------------------


def grounds():
    """Return the still picture of four kinds of ground from above, with arrows downhill and curvatures."""
    box = ((-2, 2), (-1.5, 1.5))
    cases = [
        (_pure("minimum", [1, 1], box), "both above 0"),
        (_pure("saddle", [1, -1], box), "one above 0,\none below"),
        (_pure("maximum", [-1, -1], box), "both below 0"),
        (plateau(), "nearly 0\nfar out"),
    ]
    figure = new_figure((9.6, 3.0))
    with look():
        axes = figure.subplots(1, 4)
        figure.subplots_adjust(0.05, 0.24, 0.99, 0.9, wspace=0.28)
        for ax, (land, text) in zip(axes, cases, strict=True):
            height_map(ax, land)
            xs, ys = (np.linspace(*side, 9)[1::2] for side in land.box)
            w = np.stack(np.meshgrid(xs, ys), axis=-1)
            down = -land.grad(w)
            scale = 8 * np.abs(down).max()
            ax.quiver(w[..., 0], w[..., 1], down[..., 0], down[..., 1], scale=scale, width=0.012, zorder=2)
            ax.set(ylabel="", title=land.name.split(" with")[0], xlabel=f"curvatures {text}")
    return Picture(
        figure,
        "Arrows point downhill. At a minimum all point to it, at a maximum away, at a saddle in along one "
        "axis and out along the other; on a plateau they are too short to see.",
    )


def _pure(name, curvatures, box):
    curvatures = np.array(curvatures)
    minima = [[0, 0]] if (curvatures > 0).all() else np.zeros((0, 2))
    f = lambda w: 0.5 * (curvatures * w**2).sum(axis=-1)  # noqa: E731
    return Landscape(name, f, lambda w: curvatures * w, [0, 0], minima, box)


def saddle_steps(distance, lr, descent=0.5, far=0.5):
    """Return how many steps the formula gives for |w[1]| to grow from `distance` to `far`."""
    return np.log(far / distance) / np.log1p(lr * descent)


def near_a_saddle(steps=500, far=0.5):
    """Return the scene of a walk that starts close to a saddle's ridge: from above, and |w[1]| against step.

    Knobs: distance (of the start from the ridge), lr, noise (of the gradient) and seed.
    """
    land = saddle()

    def build(figure):
        left, right = (figure.add_axes(place) for place in AXES)
        height_map(left, land)
        left.set_title("from above: the ridge is w[1] = 0")
        right.set(yscale="log", xlim=(0, steps), ylim=(1e-16, 1e3), xlabel="step")
        right.set_ylabel("distance from the ridge |w[1]|")
        right.axhline(far, color=ALERT, linewidth=1, linestyle="--")
        right.text(0.98 * steps, 20, "above the dashed line: away", color=ALERT, ha="right")
        theory = right.plot([], [], color=CENTRAL, linewidth=6, alpha=0.3, animated=True)[0]
        walk = path_line(left, gradient_descent, animated=True)
        growth = right.plot([], [], animated=True, **LINE | {"marker": ""})[0]
        settings = right.set_title("", fontsize=10, animated=True)

        def move(*, distance, lr, noise, seed):
            start = np.array([-1.8, distance])
            grad = noisy(land.grad, noise, seed) if noise else land.grad
            ws = path(gradient_descent, grad, start, steps, lr=lr)
            height = np.abs(ws[:, 1])
            set_path(walk, ws, land.box)
            growth.set_data(np.arange(steps + 1), np.maximum(height, 1e-17))
            t = np.arange(steps + 1)
            with np.errstate(over="ignore"):
                formula = distance * (1 + 0.5 * lr) ** t
            theory.set_data(t[formula < 1], formula[formula < 1])
            settings.set_text(f"distance {distance:.2g}   lr {lr:.2g}   noise {noise:g}   seed {seed}")
            away = np.flatnonzero(height > far)
            told = (
                f"away after {counted(away[0], 'step')}"
                if away.size
                else f"still at the saddle after {steps} steps"
            )
            formula = saddle_steps(distance, lr) if distance < far else 0
            return f"{told.capitalize()}; the formula without noise says {formula:.0f}."

        return move

    moving = {"distance": 1e-3, "lr": 0.1, "noise": 0.0, "seed": 0}
    return Scene(build, moving)


def basin(w):
    """Return the height of a plateau around a basin, for any number of weights: 1 − exp(−|w|²/32)."""
    return -np.expm1(-(w**2).sum(axis=-1) / 32)


def basin_grad(w):
    """Return its gradient. It is the slope of landscapes.plateau(condition=1)."""
    return w / 16 * np.exp(-(w**2).sum(axis=-1, keepdims=True) / 32)


def plateau_walks(start, noise, weights=1, seed=0, steps=800, walkers=20, lr=3.0):
    """Return the distance from the basin's centre along walks from `start`, shape (steps + 1, 1 + walkers).

    The first walk is without noise. noise: standard deviation, in each of the `weights` coordinates.
    """
    rng = np.random.default_rng(seed)

    def grad(w, t):
        shakes = noise * rng.standard_normal((walkers, weights))
        return basin_grad(w) + np.concatenate([np.zeros((1, weights)), shakes])

    w0 = np.zeros((1 + walkers, weights))
    w0[:, 0] = start
    walk = itertools.islice(iterate(gradient_descent, grad, w0, lr=lr), steps + 1)
    return np.array([np.linalg.norm(w, axis=-1) for (w,) in walk])


def on_a_plateau(steps=800, walkers=20):
    """Return the scene of walks that start far out on a plateau: the profile, and distance against step.

    One walk is without noise; the others have noise of one size and different draws. lr is 3.
    Knobs: start (distance from the centre), noise, weights (how many there are) and seed.
    """
    edge = 4.0  # here the slope is largest

    def build(figure):
        left, right = (figure.add_axes(place) for place in AXES)
        distance = np.linspace(0, 40, 201)
        left.plot(distance, basin(distance[:, None]), color="#7f9dbb")
        left.set(xlim=(0, 40), ylim=(-0.05, 1.15), xlabel="distance from the centre", ylabel="loss")
        right.set(xlim=(0, steps), ylim=(0, 40), xlabel="step")
        right.set_ylabel("distance from the centre (shaded: the basin)")
        left.axvspan(0, edge, color="#7f9dbb", alpha=0.25)
        right.axhspan(0, edge, color="#7f9dbb", alpha=0.25)
        lines = [
            right.plot([], [], color=ONE_SIDED, lw=0.6, alpha=0.7, animated=True)[0] for _ in range(walkers)
        ]
        quiet = right.plot([], [], animated=True, **LINE | {"marker": "", "linewidth": 2.2})[0]
        begin = left.plot([], [], "o", color=LINE["color"], markersize=9, animated=True)[0]
        ends = left.plot([], [], "|", color=ONE_SIDED, markersize=14, animated=True)[0]
        left.set_title("dot: the start; bars: where the noisy walks ended", fontsize=10)
        settings = right.set_title("", fontsize=10, animated=True)
        shown = np.arange(0, steps + 1, 4)

        def move(*, start, noise, weights, seed):
            distances = plateau_walks(start, noise, weights, seed, steps, walkers)
            for line, r in zip(lines, distances[shown, 1:].T, strict=True):
                line.set_data(shown, np.minimum(r, 100))
            quiet.set_data(shown, distances[shown, 0])
            begin.set_data([start], basin(np.array([[start]])))
            ends.set_data(distances[-1, 1:], basin(distances[-1, 1:, None]))
            settings.set_text(f"start {start:.3g}   noise {noise:g}   weights {weights}   seed {seed}")
            inside = distances < edge
            first = np.flatnonzero(inside[:, 0])
            alone = f"enters the basin at step {first[0]}" if first.size else "does not enter the basin"
            entered = inside[:, 1:].any(axis=0).sum()
            return (
                f"In {steps} steps: without noise the walk {alone}; "
                f"with noise {noise:g}, {entered} of {walkers} walks enter it."
            )

        return move

    knobs = {"start": 14.0, "noise": 0.0, "weights": 1, "seed": 0}
    return Scene(build, knobs, handles=(Handle(0, "start", None),))


# --- Newton's step -----------------------------------------------------------------------------------

NEWTON_GROUNDS = {
    "ravine": quadratic(condition=30.0, angle=30.0),
    "saddle": saddle(),
    "Rosenbrock": rosenbrock,
    "Himmelblau": himmelblau,
}


def newton_walk(land, start, damping=0.0, steps=8):
    """Return a walk of Newton's steps with (H + damping·I), shape (steps + 1, 2); NaN after a singular H."""
    ws = np.full((steps + 1, 2), np.nan)
    ws[0] = w = np.asarray(start, dtype=float)
    for t in range(1, steps + 1):
        step = newton_direction(land, w, damping)
        if step is None:
            break
        ws[t] = w = w + step
    return ws


def newton_direction(land, w, damping=0.0):
    """Return −(H + damping·I)⁻¹·g at w, or None where that does not exist."""
    H = hessian(land.grad, w) + damping * np.eye(2)
    if not np.isfinite(H).all() or np.linalg.cond(H) > 1e9:  # H itself is known to about nine digits
        return None
    return -np.linalg.solve(H, land.grad(w))


def newton():
    """Return the scene of Newton's steps: from above, and the loss along the first one, model and truth.

    Knobs: landscape, start_x, start_y and damping.
    """
    reach = np.linspace(-0.5, 2, 126)

    def build(figure, *, landscape):
        land = NEWTON_GROUNDS[landscape]
        left, right = (figure.add_axes(place) for place in AXES)
        height_map(left, land)
        left.set_title(f"{land.name}; solid: 8 Newton steps, dotted: downhill", fontsize=10)
        right.set(xlim=(-0.5, 2), xlabel="how far along the first step (1: all of it)")
        right.set_ylabel("loss, less the loss at the start")
        walk = left.plot([], [], animated=True, markersize=6, linewidth=1.6, **NEWTON)[0]
        downhill = left.plot([], [], ":", color=ALERT, linewidth=2.4, animated=True)[0]
        truth = right.plot([], [], color=LINE["color"], animated=True, label="the loss")[0]
        model = right.plot([], [], "--", color=CENTRAL, animated=True, label="quadratic model")[0]
        dots = right.plot([], [], "o", color=NEWTON["color"], markersize=8, animated=True)[0]
        right.legend(loc="upper center")
        right.yaxis.set_animated(True)
        settings = right.set_title("", fontsize=10, animated=True)
        (x0, x1), (y0, y1) = land.box
        span = np.array([x1 - x0, y1 - y0])

        def move(*, start_x, start_y, damping):
            w = np.array([start_x, start_y])
            ws = newton_walk(land, w, damping)
            walk.set_data(*np.clip(ws, -1e3, 1e3).T)
            g, H = land.grad(w), hessian(land.grad, w)
            length = 0.2 / max(np.linalg.norm(g / span), 1e-12)
            downhill.set_data(*np.stack([w, w - length * g]).T)
            settings.set_text(f"start ({start_x:.3g}, {start_y:.3g})   damping {damping:g}")
            step = newton_direction(land, w, damping)
            curvatures = ", ".join(f"{c:.3g}" for c in np.linalg.eigvalsh(H))
            if step is None:
                for line in (truth, model, dots):
                    line.set_data([], [])
                return f"Curvatures {curvatures}: with this damping one of them is 0, and there is no step."
            parabola = reach * (g @ step) + 0.5 * reach**2 * (step @ H @ step)
            heights = land(w + reach[:, None] * step) - land(w)
            size = max(np.abs(parabola).max(), 1e-9)
            right.set_ylim(-1.3 * size, 3 * size)
            right.yaxis.stale = True
            truth.set_data(reach, np.clip(heights, -50 * size, 50 * size))
            model.set_data(reach, parabola)
            change = land(w + step) - land(w)
            dots.set_data([0, 1], [0, np.clip(change, -50 * size, 50 * size)])
            way = "downhill" if g @ step < 0 else "uphill"
            return (
                f"Curvatures here: {curvatures}. The step begins {way} and changes the loss by {change:.3g}; "
                f"the model promised {g @ step + 0.5 * step @ H @ step:.3g}."
            )

        return move

    # On the saddle, from here Newton goes to it: higher up both curvatures are positive.
    moving = {"start_x": -1.5, "start_y": 0.3, "damping": 0.0}
    return Scene(
        build, moving, {"landscape": "ravine"}, ranges={"start_x": (-2.0, 2.0), "start_y": (-1.0, 1.5)}
    )


# --- a slice of a network's loss ---------------------------------------------------------------------


def random_direction(net, w, seed=0):
    """Return a random direction in which each layer is as long as the same layer of w (Li et al., 2018)."""
    direction = np.random.default_rng(seed).standard_normal(net.n)
    for part, layer in zip(net.layers(direction), net.layers(w), strict=True):
        part *= np.linalg.norm(layer) / np.linalg.norm(part)
    return direction


def steepest_direction(net, w, iterations=60, h=1e-4):
    """Return the direction of the largest curvature at w, as long as w: power iteration."""
    u = np.random.default_rng(0).standard_normal(net.n)
    for _ in range(iterations):
        u = u / np.linalg.norm(u)
        u = net.grad(w + h * u) - net.grad(w - h * u)
    return u / np.linalg.norm(u) * np.linalg.norm(w)


def curvature_along(net, w, direction, h=1e-4):
    """Return the curvature of the loss at w along a direction, whose length does not matter."""
    u = direction / np.linalg.norm(direction)
    return float(u @ (net.grad(w + h * u) - net.grad(w - h * u)) / (2 * h))


def network_slice(net, w, directions, points=(61, 49)):
    """Return the scene of a network's loss on a plane through w: the plane from above, and along one line.

    directions: name → pair of directions, each of shape (n,). The picture's unit is the length of each.
    Knobs: plane (which pair), width (how far it reaches) and turn (the line's angle, in degrees).
    """
    u, v = (np.linspace(-1, 1, n) for n in points)
    fine = [np.linspace(-1, 1, 4 * n) for n in points]
    along = np.linspace(-1, 1, 81)
    light, maps = w.astype(np.float32), {}

    def loss(a, b, plane):
        first, second = (d.astype(np.float32) for d in directions[plane])
        a, b = (np.asarray(x, dtype=np.float32)[..., None] for x in (a, b))
        return net(light + a * first + b * second)

    def bands(plane, width):
        if (plane, width) not in maps:
            heights = loss(*np.meshgrid(width * u, width * v), plane).astype(float)
            heights = np.array([np.interp(fine[0], u, row) for row in heights])
            heights = np.array([np.interp(fine[1], v, column) for column in heights.T]).T
            ground = Landscape("", lambda w: heights, None, [0, 0], [[0, 0]], ((-1, 1), (-1, 1)))
            maps[plane, width] = height_bands(ground, [len(axis) for axis in fine])
        return maps[plane, width]

    def build(figure):
        left, right = (figure.add_axes(place) for place in AXES)
        image = left.imshow(
            bands(next(iter(directions)), 1.0),
            extent=(-1, 1, -1, 1),
            origin="lower",
            aspect="auto",
            animated=True,
        )
        left.set(xlabel="first direction, in widths", ylabel="second direction, in widths")
        left.set(title="the loss on the plane", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        left.plot([0], [0], "*", color="white", mec="#333333", markersize=14, zorder=5, animated=True)
        line = left.plot([], [], "--", color=ALERT, linewidth=2, animated=True)[0]
        right.set(xlim=(-1, 1), xticks=[-1, 0, 1], yscale="log", ylim=(1e-3, 300), ylabel="loss")
        right.set_xlabel("along the dashed line, in widths")
        profile = right.plot([], [], animated=True, **LINE | {"marker": ""})[0]
        settings = right.set_title("", fontsize=10, animated=True)

        def move(*, plane, width, turn):
            image.set_data(bands(plane, width))
            c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
            line.set_data([-c, c], [-s, s])
            losses = loss(width * c * along, width * s * along, plane)
            profile.set_data(along, np.clip(losses, 1e-4, 1e4))
            settings.set_text(f"{plane}   width {width:g}   turn {turn}°")
            first, second = directions[plane]
            bend = curvature_along(net, w, c * first + s * second)
            return (
                f"Along this line the loss goes from {losses[len(along) // 2]:.2g} in the middle to "
                f"{losses[0]:.2g} and {losses[-1]:.2g} at the ends. Curvature in the middle: {bend:.2g}."
            )

        return move

    return Scene(build, {"plane": next(iter(directions)), "width": 1.0, "turn": 0})
