"""One step of momentum in three forms: the heavy ball, Nesterov's look-ahead, and the one that PyTorch has.

forms = three_forms(quadratic(condition=5.0), lr=0.5, beta=0.9, step=3)
forms["look-ahead form"]["gradient_at"]      # where the third step takes its gradient
"""

import numpy as np

from optim_lessons.bridge import look_behind
from optim_lessons.lab.path import record
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov

FORMS = ("heavy ball", "look-ahead form", "this course's form")


def three_forms(landscape, lr, beta, step):
    """Return what each form does in one step: dict form → points.

    start, gradient_at, end: where the step begins, where the gradient is taken, where it ends.
    corner: between its two arrows.  past: where it was before.  other: the points of the look-ahead form.
    """
    ball = record(momentum, landscape.grad, landscape.start, step, lr=lr, beta=beta)
    ours = record(nesterov, landscape.grad, landscape.start, step, lr=lr, beta=beta)
    behind = look_behind(ours["w"], -lr * ours["m"], beta=beta)
    w, t = ball["w"], step - 1
    ahead = ours["w"]
    rolled = w[t] - lr * beta * ball["m"][t]
    corners = {FORMS[0]: rolled, FORMS[1]: ahead[t], FORMS[2]: behind[step]}
    walks = {FORMS[0]: w, FORMS[1]: behind, FORMS[2]: ahead}
    gradient_at = {FORMS[0]: w[t], FORMS[1]: ahead[t], FORMS[2]: ahead[t]}
    return {
        form: {
            "past": walks[form][:step],
            "start": walks[form][t],
            "corner": corners[form],
            "end": walks[form][step],
            "other": behind,
            "gradient_at": gradient_at[form],
        }
        for form in FORMS
    }


def angle(a, b):
    """Return the angle between two vectors, in degrees."""
    cosine = (a @ b) / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))
