"""Lesson 14: beyond Adam. Lion takes a sign, Shampoo and Muon see matrices, Schedule-Free needs no end.

`lion`, `schedule_free` and `schedule_free_adam` work weight by weight, as every rule before them. `shampoo`
and `muon` are rules for matrices: the last *two* axes are one matrix, axes before them independent runs.
`by_layer` gives a network's matrices to such a rule and the rest of its weights to another one.
"""

import inspect
import math
from itertools import pairwise

import numpy as np

COEFFICIENTS = 3.4445, -4.7750, 2.0315  # Muon's: they hurry small singular values, and overshoot near 1


def lion(w, g, m=0.0, *, lr=1e-4, beta1=0.9, beta2=0.99, weight_decay=0.01):
    """Step by lr in the sign of an average of the gradients: one average, half of Adam's memory.

        w ← w − lr·weight_decay·w − lr·sign(β₁·m + (1 − β₁)·g)
        m ← β₂·m + (1 − β₂)·g

    w, g: weights and gradient, same shape.  m: average of g, starts at 0.  lr: how far each weight goes.
    beta1, beta2: memories of the step and of m, in [0, 1).  weight_decay: the part per step is lr times this.
    Returns the new w and m. optax's form; its decay is 1e-3, that of the authors' code 0.
    Source: Chen et al. 2023, https://arxiv.org/abs/2302.06675
    """
    direction = np.sign(beta1 * m + (1 - beta1) * g)
    m = beta2 * m + (1 - beta2) * g
    w = w - lr * weight_decay * w - lr * direction
    return w, m


def shampoo(w, g, m=0.0, L=0.0, R=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.95, eps=1e-10, weight_decay=0.0):
    """Step by the average gradient in which both sides of the matrix are evened out.

        m ← β₁·m + (1 − β₁)·g     L ← β₂·L + (1 − β₂)·g·gᵀ     R ← β₂·R + (1 − β₂)·gᵀ·g
        w ← w − lr·weight_decay·w − lr·L̂^(−1/4)·m̂·R̂^(−1/4)          (hats: corrected, as in Adam)

    w, g: matrices, shape (..., rows, cols).  m, L, R: averages, start at 0.  t: steps taken.
    lr, beta1, beta2, weight_decay: as for `adamw`.  eps: the least eigenvalue, in parts of the largest.
    Returns w, m, L, R, t. The paper sums g·gᵀ and gᵀ·g, begins them at ε, and has no m. Raises ValueError
    for a vector. Source: Gupta, Koren, Singer 2018, https://arxiv.org/abs/1802.09568
    """
    _check_matrix(w, "Shampoo")
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    L = beta2 * L + (1 - beta2) * g @ g.swapaxes(-1, -2)
    R = beta2 * R + (1 - beta2) * g.swapaxes(-1, -2) @ g
    left, right = (inverse_fourth_root(side / (1 - beta2**t), eps) for side in (L, R))
    m_hat = m / (1 - beta1**t)
    w = w - lr * weight_decay * w - lr * (left @ m_hat @ right)
    return w, m, L, R, t


def muon(w, g, m=0.0, *, lr=1e-3, beta=0.95, weight_decay=0.1):
    """Step by the average gradient, orthogonalised: all directions of the step are about equally strong.

        m ← β·m + (1 − β)·g
        O = Newton-Schulz of β·m + (1 − β)·g        (five steps: singular values go to 0.7 ... 1.2)
        w ← w − lr·weight_decay·w − lr·√max(1, rows/cols)·O

    w, g: matrices, shape (..., rows, cols), rows = outputs.  m: average of g, starts at 0.  lr: about the
    size of the step in each direction.  beta: memory.  weight_decay: as for `adamw`. Returns w and m.
    torch.optim.Muon in exact arithmetic. A zero gradient is no step, NaN spreads through its own matrix.
    Raises ValueError for a vector. Source: Jordan 2024, https://kellerjordan.github.io/posts/muon/
    """
    m = beta * m + (1 - beta) * g
    O = orthogonalised(beta * m + (1 - beta) * g)
    rows, cols = w.shape[-2:]
    w = w - lr * weight_decay * w - lr * math.sqrt(max(1, rows / max(1, cols))) * O
    return w, m


shampoo.axes = muon.axes = 2  # the last axes that are one run: `train`, whose runs have one, asks for it


def orthogonalised(G, steps=5, coefficients=COEFFICIENTS):
    """Return G with its singular values sent towards 1, by matrix products alone: Newton and Schulz's way.

        X = G / max(‖G‖, 1e-7)        then, each step:   A = X·Xᵀ,   X ← a·X + (b·A + c·A²)·X

    G: shape (..., rows, cols).  coefficients: a, b, c. Each step sends a singular value s to
    a·s + b·s³ + c·s⁵ (`on_singular_value`) and leaves the singular vectors alone. A zero matrix stays zero.
    Source: Jordan 2024, https://kellerjordan.github.io/posts/muon/
    """
    _check_matrix(G, "Muon")
    a, b, c = coefficients
    wide = G.shape[-2] <= G.shape[-1]  # X·Xᵀ is made on the short side
    X = G if wide else G.swapaxes(-1, -2)
    X = X / np.maximum(np.sqrt((X * X).sum(axis=(-2, -1), keepdims=True)), 1e-7)
    for _ in range(steps):
        A = X @ X.swapaxes(-1, -2)
        X = a * X + (b * A + c * A @ A) @ X
    return X if wide else X.swapaxes(-1, -2)


def on_singular_value(s, steps=5, coefficients=COEFFICIENTS):
    """Return what the steps of `orthogonalised` make of a singular value: s ← a·s + b·s³ + c·s⁵.

    s: numbers or arrays, each already divided by ‖G‖, so in [0, 1].
    """
    a, b, c = coefficients
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return s


def inverse_fourth_root(M, eps=1e-10):
    """Return M^(−1/4) of symmetric matrices without negative eigenvalues, shape (..., n, n).

    eps: what is added to each eigenvalue, in parts of the largest. Of a zero matrix it is finite, too.
    """
    finite = np.isfinite(M).all(axis=(-2, -1), keepdims=True)
    values, axes = np.linalg.eigh(np.where(finite, M, 0.0))  # LAPACK would end all runs for one that is lost
    values = np.maximum(values, 0) + eps * np.maximum(values[..., -1:], 0) + 1e-30
    return (axes * (values**-0.25)[..., None, :]) @ axes.swapaxes(-1, -2)


def schedule_free(w, g, dz=0.0, dx=0.0, total=0.0, *, lr=0.1, beta=0.9, weight_decay=0.0):
    """Walk without an end date: z steps, x is the mean of all z, and the gradient is taken between them.

        z ← z − lr·(g + weight_decay·w)        x ← x + c·(z − x),  c = lr²/(sum of all lr²)
        w ← (1 − β)·z + β·x

    w, g: the point between, and the gradient there.  dz, dx: z − w and x − w, start at 0.  total: the sum.
    lr: a function of t for a warm-up; no decay is needed.  beta: 0 is the plain mean of SGD's walk.
    Returns w, dz, dx, total. What is used and tested is x, at any step: `averaged(w, dz, dx)`.
    Source: Defazio et al. 2024, https://arxiv.org/abs/2405.15682
    """
    z = w + dz - lr * (g + weight_decay * w)
    x = w + dx
    total = total + lr**2
    x = x + lr**2 / (total + 1e-30) * (z - x)  # an lr of 0 has no weight
    w = z + beta * (x - z)
    return w, z - w, x - w, total


def schedule_free_adam(
    w,
    g,
    dz=0.0,
    dx=0.0,
    total=0.0,
    v=0.0,
    t=0,
    *,
    lr=0.0025,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    weight_decay=0.0,
):
    """Schedule-Free whose fast point steps as Adam does without its first average: x and β₁ take m's place.

        v ← β₂·v + (1 − β₂)·g²     v̂ = v / (1 − β₂ᵗ)
        z, x, w: as in `schedule_free`, with g / (√v̂ + ε) for g and β₁ for β

    v, t, beta2, eps: as for `adam`.  dz, dx, total, lr, beta1, weight_decay: as for `schedule_free`.
    Returns w, dz, dx, total, v, t; x is `averaged(w, dz, dx)`.
    Source: Defazio et al. 2024, https://arxiv.org/abs/2405.15682
    """
    t = t + 1
    v = beta2 * v + (1 - beta2) * g**2
    v_hat = v / (1 - beta2**t)
    g = g / (np.sqrt(v_hat) + eps)
    w, dz, dx, total = schedule_free(w, g, dz, dx, total, lr=lr, beta=beta1, weight_decay=weight_decay)
    return w, dz, dx, total, v, t


def averaged(w, dz=0.0, dx=0.0, *others):
    """Return x, the weights of Schedule-Free to use and to test, from the point w and the state beside it.

    w is where gradients are taken, w + dz the fast point, w + dx the mean; all three are the start at first.
    """
    return w + dx


def by_layer(rule, rest, model, layers=None):
    """Return the rule that gives a network's matrices to one rule and all its other weights to another.

        step = by_layer(muon, adamw, net)        train(step, net, lr=0.02, lr_rest=0.003)

    rule: for matrices, such as `muon`; it gets each one as outputs × inputs, as PyTorch stores it.
    rest: for the biases and what else is left.  model: its sizes say where the matrices lie in w.
    layers: whose matrices go to `rule`, counted from 0; all but the last if not given, as practice has it.
    The new rule takes the flat weights, shape (..., n). Its knobs are those of `rule`, and those of `rest`
    with _rest behind the name. Each matrix has a state of its own (m_0 is layer 0's), the rest has one.
    Raises ValueError for a layer that is not there, or if there is none to give.
    """
    chosen = _chosen(len(model.sizes) - 1, layers)
    (its_state, its_knobs), (rest_state, rest_knobs) = _parts(rule), _parts(rest)
    cuts, where, end = [], {}, 0
    for layer, (a, b) in enumerate(pairwise(model.sizes)):
        for length, matrix in ((a * b, layer in chosen), (b, False)):
            if matrix:
                where[len(cuts)] = layer, a, b
            cuts.append((end, end + length))
            end += length

    def step(w, g, *state, **knobs):
        state += tuple(beginning.values())[len(state) :]
        of_rest = {name[: -len("_rest")]: x for name, x in knobs.items() if name.endswith("_rest")}
        of_its = {name: x[..., None] if np.ndim(x) else x for name, x in knobs.items() if name in its_knobs}
        pieces, new_state = [None] * len(cuts), []
        for i, (_, a, b) in where.items():
            matrices = (_matrix(x[..., slice(*cuts[i])], a, b) for x in (w, g))
            new, *after = _row(rule(*matrices, *state[: len(its_state)], **of_its))
            pieces[i] = new.swapaxes(-1, -2).reshape(*w.shape[:-1], a * b)
            state, new_state = state[len(its_state) :], [*new_state, *after]
        others = [i for i in range(len(cuts)) if i not in where]
        vectors = (np.concatenate([x[..., slice(*cuts[i])] for i in others], axis=-1) for x in (w, g))
        new, *after = _row(rest(*vectors, *state, **of_rest))
        begin = 0
        for i in others:
            length = cuts[i][1] - cuts[i][0]
            pieces[i], begin = new[..., begin : begin + length], begin + length
        return np.concatenate(pieces, axis=-1), *new_state, *after

    beginning = {f"{name}_{layer}": x for layer, _, _ in where.values() for name, x in its_state.items()}
    beginning |= {f"{name}_rest": x for name, x in rest_state.items()}
    both = its_knobs | {f"{name}_rest": x for name, x in rest_knobs.items()}
    step.__name__ = step.__qualname__ = f"{rule.__name__}_and_{rest.__name__}"
    step.__signature__ = _signature(beginning, both)
    step.axes = getattr(rest, "axes", 1)
    return step


def _matrix(x, a, b):
    return x.reshape(*x.shape[:-1], a, b).swapaxes(-1, -2)


def _row(new):
    return new if isinstance(new, tuple) else (new,)


def _chosen(count, layers):
    """Return the numbers of the layers whose matrices are given away, or say why there are none."""
    chosen = range(count - 1) if layers is None else sorted(set(layers))
    if not chosen:
        raise ValueError(
            f"layers is {layers}, of {count} in the network: no matrix goes to the first rule. With one "
            "layer say layers=[0], or use the second rule alone"
        )
    wrong = [layer for layer in chosen if layer not in range(count)]
    if wrong:
        raise ValueError(f"there is no layer {wrong[0]!r}: the network's layers are 0 to {count - 1}")
    return chosen


def _parts(rule):
    """Return the state and the knobs of a rule, name → default, as its signature has them."""
    parameters = list(inspect.signature(rule).parameters.values())
    knobs = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    return {p.name: p.default for p in parameters[2:] if p.name not in knobs}, knobs


def _signature(state, knobs):
    P = inspect.Parameter
    given = [P(name, P.POSITIONAL_OR_KEYWORD) for name in ("w", "g")]
    given += [P(name, P.POSITIONAL_OR_KEYWORD, default=x) for name, x in state.items()]
    return inspect.Signature([*given, *(P(name, P.KEYWORD_ONLY, default=x) for name, x in knobs.items())])


def _check_matrix(w, name):
    if w.ndim < 2:
        raise ValueError(
            f"shape {w.shape}: {name} turns matrices, and a vector, such as a bias, has no directions "
            "to even out; it belongs to a rule like adamw. by_layer gives each part of a network its rule"
        )
