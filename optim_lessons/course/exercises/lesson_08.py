"""Lesson 08: Adam and AMSGrad. Most lines are common to both, and so are most mistakes."""

from optim_lessons.adam import adam, amsgrad
from optim_lessons.course.kinds import rule
from optim_lessons.course.mistakes import Mistake, in_the_step

_M = "m = beta1 * m + (1 - beta1) * g"
_V = "v = beta2 * v + (1 - beta2) * g**2"

_COMMON = (
    *in_the_step("m_hat", "v_hat"),
    Mistake(
        "eps-hat",
        "This is the form of TensorFlow and Keras: the correction is folded into `lr`, so `eps` "
        "stands beside the "
        "uncorrected root and counts for more in the first steps.",
        "in the course `eps` is added to the root of `v_hat`, not of `v`.",
        [("np.sqrt(v_hat) + eps", "np.sqrt(v_hat) + eps / np.sqrt(1 - beta2**t)")],
    ),
    Mistake(
        "not-squared",
        "`v` averages the gradients themselves, so its root can be that of a negative number.",
        "what is averaged in `v` must never be negative.",
        [("g**2", "g")],
    ),
    Mistake(
        "uncorrected",
        "Neither average is corrected, so the first steps have the wrong size.",
        "both averages start at 0: what makes up for that?",
        [("(1 - beta1**t)", "1"), ("(1 - beta2**t)", "1")],
    ),
    Mistake(
        "m-uncorrected",
        "`m` is not corrected: the first steps are too short.",
        "which of the two averages enters the step without its hat?",
        [("(1 - beta1**t)", "1")],
    ),
    Mistake(
        "v-uncorrected",
        "`v` is not corrected: in the first steps the divisor is too small.",
        "which of the two averages enters the step without its hat?",
        [("(1 - beta2**t)", "1")],
    ),
    Mistake(
        "beta1-corrects-both",
        "Both corrections use `beta1`.",
        "each average is corrected with its own memory.",
        [("beta2**t", "beta1**t")],
    ),
    Mistake(
        "beta2-corrects-both",
        "Both corrections use `beta2`.",
        "each average is corrected with its own memory.",
        [("beta1**t", "beta2**t")],
    ),
    Mistake(
        "corrections-swapped",
        "Each correction uses the other average's beta.",
        "each average is corrected with its own memory.",
        [("(1 - beta2**t)", "(1 - beta1 ** t)"), ("(1 - beta1**t)", "(1 - beta2**t)")],
    ),
    Mistake(
        "power-forgotten",
        "The corrections divide by `1 - beta`, without the power of `t`, so they never fade.",
        "after many steps a correction should be 1.",
        [("beta1**t", "beta1"), ("beta2**t", "beta2")],
    ),
    Mistake(
        "times-t",
        "The corrections use `beta` times `t`, not `beta` to the power of `t`.",
        "in Python a power is `**`.",
        [("beta1**t", "beta1 * t"), ("beta2**t", "beta2 * t")],
    ),
    Mistake(
        "t-counted-late",
        "`t` is counted after it is used, so the first step corrects with `t = 0` and divides by 0.",
        "the first step is number 1.",
        [("    t = t + 1\n", ""), (", t\n", ", t + 1\n")],
    ),
    Mistake(
        "t-one-ahead",
        "The corrections use `t + 1` although `t` has been counted already.",
        "the first step is number 1; which power does yours use there?",
        [("beta1**t", "beta1**(t + 1)"), ("beta2**t", "beta2**(t + 1)")],
    ),
    Mistake(
        "t-not-counted",
        "`t` never grows.",
        "`t` counts the steps taken; who adds one?",
        [("    t = t + 1\n", "")],
    ),
    Mistake(
        "t-not-returned",
        "The new `t` is used, but the old one is returned, so each step is the first.",
        "what is returned as `t` is what comes in next time.",
        [(", t\n", ", t - 1\n")],
    ),
    Mistake(
        "betas-swapped",
        "`beta1` and `beta2` have changed places.",
        "which of them belongs to `m`?",
        [
            (_M, "m = beta2 * m + (1 - beta2) * g"),
            (_V, "v = beta1 * v + (1 - beta1) * g**2"),
            ("(1 - beta2**t)", "(1 - beta1 ** t)"),
            ("(1 - beta1**t)", "(1 - beta2**t)"),
        ],
    ),
    Mistake(
        "averages-betas-swapped",
        "In the two averages `beta1` and `beta2` have changed places; the corrections are right.",
        "which of them belongs to `m`?",
        [(_M, "m = beta2 * m + (1 - beta2) * g"), (_V, "v = beta1 * v + (1 - beta1) * g**2")],
    ),
    Mistake(
        "averaged-the-other-way",
        "Both averages weigh the new with `beta` and the old with `1 - beta`.",
        "a beta is a memory: near 1 the old counts most.",
        [(_M, "m = (1 - beta1) * m + beta1 * g"), (_V, "v = (1 - beta2) * v + beta2 * g**2")],
    ),
    Mistake(
        "m-the-other-way",
        "`m` weighs the new gradient with `beta1` and the old `m` with `1 - beta1`.",
        "a beta is a memory: near 1 the old counts most.",
        [(_M, "m = (1 - beta1) * m + beta1 * g")],
    ),
    Mistake(
        "v-the-other-way",
        "`v` weighs the new square with `beta2` and the old `v` with `1 - beta2`.",
        "a beta is a memory: near 1 the old counts most.",
        [(_V, "v = (1 - beta2) * v + beta2 * g**2")],
    ),
    Mistake(
        "m-is-a-sum",
        "Your `m` is the sum of lesson 04; Adam's `m` is an average.",
        "the two weights of an average add up to 1.",
        [("(1 - beta1) * g", "g")],
    ),
    Mistake(
        "v-is-a-sum",
        "Your `v` is a sum of squares; Adam's `v` is an average.",
        "the two weights of an average add up to 1.",
        [("(1 - beta2) * g**2", "g**2")],
    ),
    Mistake(
        "both-are-sums",
        "Your `m` and `v` are sums; Adam's are averages.",
        "the two weights of an average add up to 1.",
        [("(1 - beta2) * g**2", "g**2"), ("(1 - beta1) * g", "g")],
    ),
    Mistake(
        "no-momentum",
        "The step uses `g` where `m_hat` belongs: this is RMSProp with a corrected `v`.",
        "the average of the gradients gives the direction.",
        [("lr * m_hat", "lr * g")],
    ),
    Mistake(
        "squares-m",
        "`v` averages the square of `m`, not of the gradient.",
        "both averages look at the same thing: the newest gradient.",
        [("g**2", "m**2")],
    ),
    Mistake(
        "adabelief",
        "`v` averages the square of `g - m`: this is AdaBelief, a later rule.",
        "Adam's `v` looks at the gradient alone.",
        [("g**2", "(g - m)**2")],
    ),
    Mistake(
        "one-beta",
        "`v` decays with `beta1`, and so does its correction.",
        "each average has a memory of its own.",
        [(_V, "v = beta1 * v + (1 - beta1) * g**2"), ("beta2**t", "beta1**t")],
    ),
)

_ADAM = (
    Mistake(
        "hats-returned",
        "You return the corrected averages, so the next step corrects them again.",
        "the hats are used once and thrown away.",
        [("return w, m, v", "return w, m_hat, v_hat")],
    ),
    Mistake(
        "m-hat-returned",
        "You return the corrected `m`, so the next step corrects it again.",
        "the hats are used once and thrown away.",
        [("return w, m, v", "return w, m_hat, v")],
    ),
    Mistake(
        "v-hat-returned",
        "You return the corrected `v`, so the next step corrects it again.",
        "the hats are used once and thrown away.",
        [("return w, m, v", "return w, m, v_hat")],
    ),
    Mistake(
        "state-not-returned",
        "You step with the new averages but return the old ones, so nothing is remembered.",
        "what is returned comes in next time.",
        [
            ("m = beta1 * m", "m_new = beta1 * m"),
            ("v = beta2 * v", "v_new = beta2 * v"),
            ("m_hat = m", "m_hat = m_new"),
            ("v_hat = v", "v_hat = v_new"),
        ],
    ),
    Mistake(
        "amsgrad",
        "You keep the largest `v` so far: this is close to AMSGrad, the next exercise.",
        "Adam's `v` may fall again.",
        [(_V, "v = np.maximum(v, beta2 * v + (1 - beta2) * g**2)")],
    ),
)

_AMSGRAD = (
    Mistake(
        "adam",
        "The divisor uses `v`, not the largest `v` so far: this is Adam, which forgets.",
        "which of the two may never shrink?",
        [("v_hat = v_max", "v_hat = v")],
    ),
    Mistake(
        "largest-hat",
        "You keep the largest corrected `v`: this is optax's form. The course, like PyTorch, takes "
        "the largest first "
        "and corrects it then.",
        "which line comes first, the maximum or the correction?",
        [
            ("    v_max = np.maximum(v_max, v)\n", ""),
            ("v_hat = v_max / (1 - beta2**t)", "v_hat = v_max = np.maximum(v_max, v / (1 - beta2**t))"),
        ],
    ),
    Mistake(
        "largest-square",
        "You compare with the newest squared gradient, not with its average `v`.",
        "the largest of what?",
        [("np.maximum(v_max, v)", "np.maximum(v_max, g**2)")],
    ),
    Mistake(
        "minimum",
        "You keep the smallest `v`, so the divisor can only shrink.",
        "a rare large gradient should not be forgotten.",
        [("np.maximum", "np.minimum")],
    ),
    Mistake(
        "v-is-the-largest",
        "You put the largest value back into `v`, so the average itself can no longer fall.",
        "`v` and `v_max` are two things: one falls, the other does not.",
        [("    v_max = np.maximum(v_max, v)\n", "    v = v_max = np.maximum(v_max, v)\n")],
    ),
    Mistake(
        "v-max-not-returned",
        "You use the largest `v` but return the old one, so it is forgotten.",
        "what is returned as `v_max` is what comes in next time.",
        [
            ("v_max = np.maximum(v_max, v)", "v_new = np.maximum(v_max, v)"),
            ("v_hat = v_max", "v_hat = v_new"),
        ],
    ),
    Mistake(
        "hats-returned",
        "You return corrected values as state, so the next step corrects them again.",
        "the hats are used once and thrown away.",
        [("return w, m, v, v_max", "return w, m_hat, v, v_hat")],
    ),
    Mistake(
        "v-hat-returned",
        "You return the corrected largest `v` as `v_max`, so the next step corrects it again.",
        "the hats are used once and thrown away.",
        [("return w, m, v, v_max", "return w, m, v, v_hat")],
    ),
    Mistake(
        "largest-of-the-old",
        "The maximum is taken before `v` is renewed.",
        "which of the two lines comes first?",
        [
            ("    v_max = np.maximum(v_max, v)\n", ""),
            ("    v = beta2", "    v_max = np.maximum(v_max, v)\n    v = beta2"),
        ],
    ),
)

exercises = (
    rule(
        "08.adam",
        adam,
        task="Write Adam: `my_adam(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, "
        "eps=1e-8)` returns "
        "the new `w`, `m`, `v` and `t`.",
        hint="count first, then the two averages, then their corrections, then the step.",
        points=3,
        mistakes=_COMMON + _ADAM,
    ),
    rule(
        "08.amsgrad",
        amsgrad,
        task="Write AMSGrad: `my_amsgrad(w, g, m=0.0, v=0.0, v_max=0.0, t=0, *, lr=1e-3, beta1=0.9, "
        "beta2=0.999, "
        "eps=1e-8)` returns the new `w`, `m`, `v`, `v_max` and `t`.",
        hint="Adam with one line more, and one letter changed.",
        # v_max, t: the end of the state differs from Adam's.
        mistakes=_COMMON + _AMSGRAD,
    ),
)
