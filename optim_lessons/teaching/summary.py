"""The summary sheet: one page to print or to hang up, with all rules of the course.

A formula is the recurrence of the rule's docstring: what help(adam) prints, in the paper's signs, and shorter
than the code; the tests run it against the rule. Knobs and state are the signature's, walks are `path`'s, the
phrases about failures stand on page 00, the guide is computed from lesson 11's races.
"""

import base64
import dataclasses
import functools
import inspect
import io
import re

import matplotlib
import numpy as np
from fontTools import subset  # Matplotlib brings it
from fontTools.ttLib import TTFont
from markupsafe import Markup, escape
from matplotlib.font_manager import findfont
from PIL import Image

from optim_lessons import __version__, schedules
from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam, amsgrad
from optim_lessons.beyond_adam import lion, muon, schedule_free
from optim_lessons.course.copies.workbook import find_lesson, pristine
from optim_lessons.course.notebook import prose
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import plots
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.path import path
from optim_lessons.lab.scenes import best_lr_of
from optim_lessons.lab.shipped import shipped
from optim_lessons.landscapes import quadratic
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.rmsprop import rmsprop
from optim_lessons.scale import POWERS
from optim_lessons.sgd import sgd
from optim_lessons.studies import broken, guide, protocol
from optim_lessons.teaching.pages import templates
from optim_lessons.weight_decay import adamw

# Rule → the failure it mends, the one it brings: a lesson, for what it leaves in page 00's words, or words.
FAILURES = {
    gradient_descent: ("02", "01"),
    momentum: ("01", "04"),
    nesterov: ("04", "05"),
    adagrad: ("05", "06"),
    rmsprop: ("06", "07"),
    adam: ("07", "08"),
    amsgrad: ("the wrong end", "its largest v remembers the violent first steps of a training for ever"),
    adamw: ("in Adam the penalty is divided by √v̂", "one knob more, but no law"),
}
# On a quadratic: rule → converges for lr below, best lr, best β, what a step then leaves of the distance.
LIMITS = {
    gradient_descent: ("2/L", "2/(μ + L)", "–", "(κ − 1)/(κ + 1)"),
    momentum: ("2·(1 + β)/L", "4/(√μ + √L)²", "((√κ − 1)/(√κ + 1))²", "(√κ − 1)/(√κ + 1)"),
    nesterov: ("2·(1 + β)/((1 + 2·β)·L)", "4/(3·L + μ)", "(r − 2)/(r + 2)", "1 − 2/r"),
}
R = "√(3·κ + 1)"  # Nesterov's r
# How far a weight moves: rule → in its first step, in the t-th under a steady slope (late on), at most.
STRIDES = {
    gradient_descent: ("lr·g", "lr·g", "no limit"),
    momentum: ("lr·g", "lr·g/(1 − β)", "no limit"),
    nesterov: ("lr·(1 + β)·g", "lr·g/(1 − β)", "no limit"),
    adagrad: ("lr", "lr/√t", "lr"),
    rmsprop: ("lr/√(1 − β)", "lr", "lr/√(1 − β)"),
    adam: ("lr", "lr", "7.27·lr"),
}
LATER = {lion: "Lion", muon: "Muon", schedule_free: "Schedule-Free"}  # lesson 14's, which walk in no ravine
NAMES = {"sgd": "SGD", "adam": "Adam", "muon": "Muon"}
WIDER = {-1: "1/n", -0.5: "1/√n", 0: "same", 1: "n"}  # a power of the width n, in words
HALF_LIFE = "ln 2/(lr·weight_decay)"
T = 100
SHAPES = {
    "constant": schedules.constant(1.0),
    "step": schedules.step(1.0, every=-(-T // 3), factor=0.4),
    "exponential": schedules.exponential(1.0, length=T // 5),
    "linear": schedules.linear(1.0, 0.0, length=T),
    "inverse_time": schedules.inverse_time(1.0, length=T // 10),
    "cosine": schedules.cosine(1.0, length=T),
    "warm_up": schedules.warm_up(schedules.cosine(1.0, length=T * 4 // 5), T // 5),
    "one_cycle": schedules.one_cycle(1.0, length=T),
}
# What others compute under the same name (the forms stand in bridge.py): what, here, elsewhere.
CONVENTIONS = [
    ("m of momentum", "a sum", "damped form: an average, ours at lr·(1 − dampening); Keras: lr inside"),
    ("ε", "beside the root", "Keras, optax: inside the root, in AdaGrad and RMSProp"),
    ("ε of Adam", "beside √v̂", "Keras, TensorFlow: beside the uncorrected √v, at first 32 times as large"),
    ("v of AdaGrad", "starts at 0", "Keras, optax: at 0.1"),
    ("Adam's correction", "always", "MLX: off by default, steps up to 6.57 times as long"),
    ("AMSGrad", "maximum, then corrected", "optax: corrected, then maximum"),
    ("weight decay", "times lr, 0.01", "Keras: 0.004; optax: 1e-4; the paper: not times lr"),
]
EXPECT = {
    "the loss at the start": "ln K for K classes",
    "the gradient": "block by block; in float64 1e-7 or less",
    "overfit ten images": "if it cannot, there is no point in a thousand",
    "look at the data, as the network gets it": "the batch, not the files",
}
STEPS = 40
RAVINE = quadratic(condition=100, angle=20)  # page 00's
VIEW = dataclasses.replace(RAVINE, box=((-4.9, 1.3), (-3.2, 0.6)))
CASING = {"color": "#ffffff", "linestyle": "-"}  # keeps a line apart from the ground
GREEK = {"beta1": "β₁", "beta2": "β₂", "beta": "β", "eps": "ε"}
TEX = {"$": "", "`": "", r"\kappa": "κ", r"\mu": "μ", r"\hat m": "m̂", r"\hat v": "v̂"}


# What the modules and the pages say


def recurrence(rule):
    """Return the lines of the recurrence in a rule's docstring."""
    return re.findall(r"^ {4}(\S.*)$", inspect.getdoc(rule), re.MULTILINE)


def idea(rule):
    """Return a rule's idea: page 00's, of its lesson; for the second rule of a lesson, its docstring's."""
    said = inspect.getdoc(rule) if rule is amsgrad else _page_00()[lesson_of(rule)][0]
    return re.split("[:;]", said)[0]


def lesson_of(rule):
    """Return the number of the lesson that a rule's module belongs to."""
    return re.match(r"Lesson (\d+)", inspect.getmodule(rule).__doc__)[1]


def remembered(rule):
    """Return the names of the arrays that a rule keeps, one number for each weight; a step count is none."""
    return [name for name, start in parts(rule).state.items() if isinstance(start, float)]


def knob_texts(rule):
    """Return a rule's knobs with their defaults: "lr 0.001", "β₁ 0.9"."""
    return [f"{GREEK.get(name, name)} {_number(value)}" for name, value in parts(rule).knobs.items()]


def failures(rule):
    """Return in words the failure a rule mends, and the one it brings."""
    left = _page_00()
    return [left[text][1] if text in left else text for text in FAILURES[rule]]


def notation():
    """Return page 00's notation: pairs of names and what they mean, in short."""
    return [(name, re.split(r"[:;]| \(", meaning)[0]) for name, meaning in _page_table("00", "## 5")]


def first_checks():
    """Return lesson 12's checks before the first run, by their headings."""
    return re.findall(r"\*\*Check \d: (.*?)\.\*\*", _text("12"))


def advice():
    """Return lesson 11's guide in five lines: pairs of what to do, and the figures that say so."""
    table = protocol.results()
    said = guide.guide(table)
    first = guide.firsts(table)
    shared = sum(len(who) > 1 for who in first.values())
    raw, scaled = (
        [row.test.mean() for (problem, _, _), row in table.items() if problem == name]
        for name in ("tumours, raw", "tumours, scaled")
    )
    adams, rmsprops = (re.search(rf"- {name}: (.*)\.", said)[1] for name in ("adam", "rmsprop"))
    return [
        (
            "Scale the inputs.",
            f"Tumours, test loss: raw {min(raw):.2f} or more, scaled {max(scaled):.2f} or less.",
        ),
        (
            "Tune lr.",
            f"Loss above the best trial of all, median: Adam {adams}; "
            f"RMSProp {', '.join(re.findall('[0-9]+%', rmsprops))}.",
        ),
        ("Let lr fall.", f"The cosine against a constant lr: {guide.of_schedules(table)}."),
        (
            "An adaptive rule is a safe choice, and not a sure winner.",
            f"Adam against gradient descent: {guide.of_rules(table, 'adam', 'gradient_descent')}; "
            f"against RMSProp: {guide.of_rules(table, 'adam', 'rmsprop')}.",
        ),
        ("Expect ties.", f"The first place is shared in {shared} of {len(first)} small problems."),
    ]


def _page_00():
    """Return lesson → its idea and the failure it leaves, as page 00 has them."""
    return {lesson[:2]: rest for lesson, *rest in _page_table("00", "## 7")}


def _page_table(lesson, heading):
    """Return the rows of the table below a heading, as plain text."""
    text = _text(lesson).split(f"\n{heading}", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)[2:]
    return [[_plain(cell.strip()) for cell in row.split("|")] for row in rows]


@functools.cache
def _text(lesson):
    return "\n\n".join(prose(pristine(find_lesson(lesson))))


def _plain(text):
    for sign, plain in TEX.items():
        text = text.replace(sign, plain)
    return re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text.replace("*", ""))


def _number(value):
    return re.sub(r"e-0", "e-", f"{value:g}")


# The pictures


def walk(rule):
    """Return a rule's walk in the ravine at its best lr of fifty, and that lr."""
    lr = best_lr_of(rule, RAVINE, STEPS)
    return path(rule, RAVINE.grad, RAVINE.start, STEPS, lr=lr), lr


def _walk_picture(rule):
    ws, lr = walk(rule)
    name = plots.rule_label(rule, first=True)
    x, y = ((ws - np.array(VIEW.box)[:, 0]) / np.ptp(VIEW.box, axis=1) * [300, -150] + [0, 150]).T
    return {
        "text": f"{name} in the ravine, lr {lr:.2g}: loss {RAVINE(ws[-1]):.1g} in the end.",
        "lr": f"{lr:.2g}",
        "casing": _line(x, y, CASING, 6),
        "line": _line(x, y, plots.rule_style(rule), 3.2),
        "dots": [(f"{a:.1f}", f"{b:.1f}") for a, b in zip(x, y, strict=True)],
    }


def _line(x, y, style, width):
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    dashes = _dashes(style["linestyle"], width)
    return {"points": points, "color": style["color"], "width": width, "dashes": dashes}


def _dashes(linestyle, width):
    named = {"-": None, "--": "dashed", "-.": "dashdot", ":": "dotted"}
    if linestyle in named:
        name = named[linestyle]
        lengths = matplotlib.rcParamsDefault[f"lines.{name}_pattern"] if name else ()
    else:
        lengths = linestyle[1]
    return " ".join(f"{width * length:.1f}" for length in lengths)


def _sample(name, length=80):
    return _line([0, length], [5, 5], plots.RULE_STYLES[name], 4) | {"length": length}


def _ground():
    """Return the ravine seen from above, which all walks share, as a PNG in base64."""
    colours = 0.4 + 0.6 * plots.height_bands(VIEW, points=(600, 300))[::-1]  # pale, behind the lines
    pixels = (255 * colours).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).quantize(64).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _shape(schedule):
    t = np.arange(T)
    return _line(10 + t, 52 - 46 * schedule(t), {"color": "#222222", "linestyle": "-"}, 2.5)


# The page


def page():
    """Return the sheet: a page of HTML that needs nothing beside it."""
    pages = templates(greek=_greek, unbroken=_unbroken)
    body = Markup(pages.get_template("summary.html").render(_values()))
    letters = "".join(sorted(set(re.sub(r"<[^>]*>", "", body))))
    fonts = [(weight, _font(weight, letters)) for weight in ("normal", "bold")]
    style = Markup((shipped("assets") / "summary_sheet.css").read_text(encoding="utf-8"))
    return pages.get_template("sheet.html").render(fonts=fonts, style=style, body=body) + "\n"


def _font(weight, letters):
    """Return the part of DejaVu Sans that the page needs: it looks the same wherever it is printed."""
    options = subset.Options(layout_features=["mark", "mkmk", "kern", "ccmp"], hinting=False)
    options.drop_tables += ["FFTM"]  # when it was made
    file = io.BytesIO()
    with TTFont(findfont(f"DejaVu Sans:{weight}"), recalcTimestamp=False) as font:
        subsetter = subset.Subsetter(options)
        subsetter.populate(text=letters)
        subsetter.subset(font)
        font.flavor = "woff"
        font.save(file)
    return base64.b64encode(file.getvalue()).decode()


def _values():
    """Return what templates/summary.html shows, by the names that it uses."""
    layers = list(next(iter(POWERS.values())))
    return {
        "steps": STEPS,
        "version": __version__,
        "ground": _ground(),
        "notation": notation(),
        "rules": [_rule(rule) for rule in FAILURES],
        "later": [(name, _formula(rule)) for rule, name in LATER.items()],
        "layers": layers,
        "widths": [(NAMES[name], *(WIDER[power[x]] for x in layers)) for name, power in POWERS.items()],
        "limits": [(plots.rule_label(rule), *texts) for rule, texts in LIMITS.items()],
        "r": R,
        "strides": [(plots.rule_label(rule), *texts) for rule, texts in STRIDES.items()],
        "half_life": HALF_LIFE,
        "shapes": [(name, _shape(schedule)) for name, schedule in SHAPES.items()],
        "advice": advice(),
        "checks": [(check[:1].upper() + check[1:], EXPECT[check]) for check in first_checks()],
        "conventions": CONVENTIONS,
        "causes": [(symptom, cause) for symptom, (_, cause) in broken.CHECKS.items()],
    }


def _rule(rule):
    mends, brings = failures(rule)
    return {
        "name": plots.rule_label(rule, first=True),
        "lesson": lesson_of(rule),
        "idea": idea(rule),
        "sample": _sample(rule.__name__),
        "as_sgd": _sample("sgd", 28) if rule is sgd else None,
        "walk": _walk_picture(rule),
        "formula": _formula(rule),
        "knobs": knob_texts(rule),
        "memory": remembered(rule),
        "mends": mends,
        "brings": brings,
    }


def _formula(rule):
    return [re.split(" {2,}", line) for line in recurrence(rule)]


def _greek(name):
    return re.sub(r"\b(beta1|beta2|beta|eps)\b", lambda m: GREEK[m[0]], name)


def _unbroken(text):
    return Markup(escape(text).replace(" − ", Markup("&nbsp;−&nbsp;")))
