"""The summary sheet: what it says is what the modules and pages say, and it is exactly one page."""

import base64
import hashlib
import inspect
import io
import json
import re
from html import unescape

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from optim_lessons import bridge, gradient_descent, momentum, nesterov, schedules
from optim_lessons.adagrad import adagrad
from optim_lessons.adam import adam, amsgrad
from optim_lessons.beyond_adam import lion
from optim_lessons.course.cli import main
from optim_lessons.course.copies.workbook import find_lesson
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import RULE_STYLES
from optim_lessons.lab.shipped import shipped
from optim_lessons.pictures import start_here
from optim_lessons.rmsprop import rmsprop
from optim_lessons.scale import mup_factor
from optim_lessons.studies import broken, guide, protocol
from optim_lessons.teaching import summary
from optim_lessons.weight_decay import adamw

HTML = shipped("assets") / "summary_sheet.html"
PDF = shipped("assets") / "summary_sheet.pdf"
AGAIN = "the modules or pages have changed and the sheet has not: python assets/make_summary_sheet.py"
MAKE_NUMBERS = r'(?<=points=")[^"]*|(?<=c[xy]=")[^"]*'

# Formulas in the paper's signs, as Python reads them. Longer signs first.
SIGNS = {
    "√v̂": "np.sqrt(v_hat)", "√v": "np.sqrt(v)", "√t": "np.sqrt(t)", "√(": "np.sqrt(", "√κ": "np.sqrt(κ)",
    "√μ": "np.sqrt(μ)", "√L": "np.sqrt(L)", "m̂": "m_hat", "v̂": "v_hat", "max(": "np.maximum(",
    "ln 2": "np.log(2)", "sign(": "np.sign(",
    "β₁": "beta1", "β₂": "beta2", "β": "beta", "ε": "eps", "²": "**2", "ᵗ": "**t", "·": "*", "−": "-",
}  # fmt: skip


def python(formula):
    for sign, meant in SIGNS.items():
        formula = formula.replace(sign, meant)
    return formula


def value(formula, **numbers):
    return eval(python(formula), {"np": np}, numbers)


def statements(rule):
    """Return the assignments of a recurrence, in order: pairs of a name and an expression."""
    texts = [text for line in summary.recurrence(rule) for text in re.split(" {2,}", line)]
    return [tuple(map(python, re.split(" [←=] ", text))) for text in texts if re.search(" [←=] ", text)]


def lesson_text(lesson):
    page = json.loads((shipped("notebooks") / f"{find_lesson(lesson)}.ipynb").read_text(encoding="utf-8"))
    return "\n".join("".join(cell["source"]) for cell in page["cells"])


# What it says


@pytest.mark.parametrize("rule", [*summary.FAILURES, lion], ids=lambda rule: rule.__name__)
def test_the_formula_on_the_sheet_computes_what_the_rule_computes(rule):
    lines = statements(rule)
    if rule is amsgrad:  # "as Adam, with ..."
        assert summary.recurrence(rule)[0].startswith("as Adam, with")
        changes, lines = dict(lines), statements(adam)
        lines = [(name, changes.get(name, expression)) for name, expression in lines]
        after_v = [name for name, _ in lines].index("v") + 1
        lines.insert(after_v, ("v_max", changes["v_max"]))
    rng = np.random.default_rng(0)
    knobs = {name: default * 0.7 + 0.01 for name, default in parts(rule).knobs.items()}
    w, state = rng.standard_normal(5), parts(rule).state
    now = {"w": w, **state, **knobs}
    for _ in range(4):
        g = rng.standard_normal(5)
        result = rule(w, g, *state.values(), **knobs)
        w, *rest = result if isinstance(result, tuple) else (result,)
        state = dict(zip(state, rest, strict=True))
        now["g"] = g
        for name, expression in lines:
            now[name] = eval(expression, {"np": np}, now)
        for name, expected in {"w": w, **state}.items():
            np.testing.assert_allclose(now[name], expected, rtol=1e-14)


def test_every_rule_with_a_colour_of_its_own_is_on_the_sheet():
    assert {rule.__name__ for rule in summary.FAILURES} | {"sgd"} == set(RULE_STYLES)


def test_names_knobs_and_memory_are_the_signatures():
    assert summary.knob_texts(adam) == ["lr 0.001", "β₁ 0.9", "β₂ 0.999", "ε 1e-8"]
    assert summary.knob_texts(adagrad) == ["lr 0.01", "ε 1e-10"]
    counts = [len(summary.remembered(rule)) for rule in summary.FAILURES]
    assert counts == [0, 1, 1, 1, 1, 2, 3, 2]
    grown = [np.shape(x) for x in amsgrad(np.ones(3), np.ones(3))[1:]]
    assert grown == [(3,), (3,), (3,), ()]  # the step count alone is no array


def test_failures_are_told_in_the_words_of_the_lessons():
    left = {lesson: words[1] for lesson, words in summary._page_00().items()}
    for rule, (mends, brings) in summary.FAILURES.items():
        if rule not in (amsgrad, adamw):
            assert {mends, brings} <= set(left)
    mends, brings = summary.FAILURES[amsgrad]
    assert left["08"].startswith(mends)
    assert brings.lower() in lesson_text("08").lower()
    mends, brings = summary.FAILURES[adamw]
    assert mends + ", the decay is not" in lesson_text("10").replace(r"$\sqrt{\hat v}$", "√v̂")
    assert brings in lesson_text("11")


def test_the_ravine_is_the_one_of_page_00():
    places = np.random.default_rng(0).uniform(-3, 3, size=(9, 2))
    np.testing.assert_array_equal(summary.RAVINE(places), start_here.GROUNDS["ravine"](places))
    ws, lr = summary.walk(momentum.momentum)
    assert lr == pytest.approx(0.45, abs=0.01)
    (x0, x1), (y0, y1) = summary.VIEW.box
    for rule in summary.FAILURES:  # no walk leaves the picture
        ws, _ = summary.walk(rule)
        assert len(ws) == summary.STEPS + 1
        assert (ws >= [x0, y0]).all()
        assert (ws <= [x1, y1]).all()


def test_rules_beyond_adam_have_their_names_and_whole_formulas():
    page = unescape(re.sub("<[^>]*>", "", HTML.read_text(encoding="utf-8"))).replace("\n", "")
    for rule, name in summary.LATER.items():
        assert name.replace("-", "_").lower() == rule.__name__
        formula = "".join(" ".join(re.split(" {2,}", line)) for line in summary.recurrence(rule))
        assert f"{name}{formula}" in page


def test_the_lr_with_the_width_is_that_of_mup():
    rows = re.split('<th scope="row">', HTML.read_text(encoding="utf-8").split("lr with the width n")[1])[1:4]
    words = {"same": 1, "n": 16, "1/n": 1 / 16, "1/√n": 1 / 4}
    for row, rule in zip(rows, ("sgd", "adam", "muon"), strict=True):
        assert row.split("<")[0].lower() == rule
        said = [words[cell] for cell in re.findall("<td>(.*?)</td>", row)]
        assert said == [mup_factor(rule, layer, 16) for layer in ("first", "hidden", "last")]


def test_limits_and_best_knobs_on_a_quadratic_are_those_of_the_modules():
    for mu, L in ((0.05, 1.0), (0.3, 7.0)):
        numbers = {"μ": mu, "L": L, "κ": L / mu, "r": value(summary.R, κ=L / mu)}
        below, lr, _, factor = summary.LIMITS[gradient_descent.gradient_descent]
        assert value(below, **numbers) == gradient_descent.largest_stable_lr([mu, L])
        assert value(lr, **numbers) == gradient_descent.best_lr([mu, L])
        left = gradient_descent.contraction(value(lr, **numbers), np.array([mu, L]))
        np.testing.assert_allclose(left, value(factor, **numbers), rtol=1e-12)
        for module, rule in ((momentum, momentum.momentum), (nesterov, nesterov.nesterov)):
            below, *best, factor = summary.LIMITS[rule]
            values = [value(text, **numbers) for text in best]
            np.testing.assert_allclose(values, module.best_lr_and_beta(mu, L), rtol=1e-12)
            factors = module.spectral_radius(values[0] * np.array([mu, L]), values[1])
            np.testing.assert_allclose(factors.max(), value(factor, **numbers), rtol=1e-6)
            for beta in (0.0, 0.5, 0.95):
                limit = value(below, beta=beta, **numbers)
                assert module.spectral_radius(limit * L, beta) == pytest.approx(1, rel=1e-12)
                assert module.spectral_radius(1.001 * limit * L, beta) > 1


def steps(rule, slopes, **knobs):
    """Return how far each step goes when the slopes are given."""
    tiny = {"eps": 1e-30} if "eps" in parts(rule).knobs else {}
    ws = path(rule, lambda w, t: np.full(1, slopes[t]), np.zeros(1), len(slopes), **tiny | knobs)
    return np.abs(np.diff(ws[:, 0]))


@pytest.mark.parametrize("rule", summary.STRIDES, ids=lambda rule: rule.__name__)
def test_a_step_is_as_long_as_the_sheet_says(rule):
    first, steady, longest = summary.STRIDES[rule]
    T, g = 20_000, 3.0
    knobs = parts(rule).knobs | {"lr": 0.02}
    numbers = knobs | {"g": g, "t": T}
    lengths = steps(rule, np.full(T, g), lr=0.02)
    assert lengths[0] == pytest.approx(value(first, **numbers), rel=1e-9)
    assert lengths[-1] == pytest.approx(value(steady, **numbers), rel=1e-6)
    if longest == "no limit":
        assert steps(rule, [1e6], lr=0.02)[0] > 1e4
        return
    # The slopes that drive a rule furthest: a single one after a silence, and for Adam growing ones.
    beta1, beta2 = knobs.get("beta1", 0.0), knobs.get("beta2", 1.0)
    worst = np.maximum((beta1 / beta2) ** np.arange(300)[::-1], 1e-100) if beta1 else [1.0]
    most = value(longest, **numbers)
    assert steps(rule, np.r_[np.zeros(T), worst], lr=0.02).max() == pytest.approx(most, rel=1e-3)
    wild = np.random.default_rng(0).standard_cauchy(3000)
    assert steps(rule, wild, lr=0.02).max() <= most * 1.001


def test_adamw_halves_a_weight_without_a_slope_in_its_half_life():
    lr, weight_decay = 0.01, 0.05
    half = round(value(summary.HALF_LIFE, lr=lr, weight_decay=weight_decay))
    ws = path(adamw, np.zeros_like, np.ones(1), half, lr=lr, weight_decay=weight_decay)
    assert ws[-1, 0] == pytest.approx(0.5, rel=1e-3)


def test_every_schedule_of_the_module_is_drawn_under_its_own_name():
    functions = {
        name
        for name, function in vars(schedules).items()
        if inspect.isfunction(function) and not name.startswith("_")
    }
    assert set(summary.SHAPES) == functions - {"then"}  # joins two of them
    for name, schedule in summary.SHAPES.items():
        code = inspect.getsource(summary)
        assert f'"{name}": schedules.{name}(' in code
        heights = schedule(np.arange(summary.T))
        assert (heights >= 0).all()
        assert heights.max() <= 1 + 1e-12


def test_the_advice_is_what_the_races_say():
    table, said = protocol.results(), dict(summary.advice())
    assert len(said) == 5
    cosine, adam_wins = guide.of_schedules(table), guide.of_rules(table, "adam", "gradient_descent")
    assert cosine.ahead > cosine.behind
    assert str(cosine) in said["Let lr fall."]
    assert adam_wins.ahead > sum(adam_wins) / 2 > adam_wins.behind > 0  # safe, and not sure
    assert str(adam_wins) in said["An adaptive rule is a safe choice, and not a sure winner."]
    raw, scaled = map(float, re.findall(r"\d+\.\d+", said["Scale the inputs."]))
    assert scaled < raw / 4
    defaults, lr, everything, *_ = map(int, re.findall(r"(\d+)%", said["Tune lr."]))
    assert defaults - lr > 10 * (lr - everything)
    shared, problems = map(int, re.findall(r"\d+", said["Expect ties."]))
    assert problems == len(protocol.PROBLEMS)
    assert shared > problems / 2
    assert "all problems here are small" in lesson_text("11").lower()
    for do in said:  # the lesson says it too
        assert do.rstrip(".").split(",")[0].lower() in lesson_text("11").lower() or do == "Expect ties."


def test_conventions_are_those_of_the_bridge():
    docs = {
        "m of momentum": [bridge.momentum_damped, bridge.momentum_lr_inside],
        "ε": [bridge.rmsprop_eps_inside, bridge.adagrad_started],
        "ε of Adam": [bridge.adam_eps_hat],
        "v of AdaGrad": [bridge.adagrad_started],
        "Adam's correction": [bridge.adam_uncorrected],
        "AMSGrad": [bridge.amsgrad_of_corrected],
        "weight decay": [bridge.adam_decay_without_lr, adamw],
    }
    assert [what for what, _, _ in summary.CONVENTIONS] == list(docs)
    assert all("PyTorch" in inspect.getdoc(rule) for rule in summary.FAILURES)
    for what, _, elsewhere in summary.CONVENTIONS:
        text = " ".join(inspect.getdoc(function) for function in docs[what])
        if what == "weight decay":
            text += lesson_text("10")
        known = text + " Keras Keras's"
        for library in re.findall("Keras|optax|MLX|TensorFlow|1e-4|0.004|0.1|6.57|32 times", elsewhere):
            assert library in (known if what == "ε" else text), (what, library)


def test_the_damped_form_and_the_ones_with_eps_inside_are_told_apart_as_the_sheet_says():
    g, lr = np.array([0.3, -2.0]), 0.1
    np.testing.assert_allclose(
        bridge.momentum_damped(g, g, g, lr=lr, beta=0.8, dampening=0.8)[0],
        momentum.momentum(g, (1 - 0.8) * g, g, lr=lr, beta=0.8)[0],
    )
    inside = bridge.rmsprop_eps_inside(g, g, lr=lr, beta=0.9, eps=0.5)[0]
    assert (np.abs(inside - rmsprop(g, g, lr=lr, beta=0.9, eps=0.5)[0]) > 1e-3).all()


def test_the_checks_and_the_suspects_are_those_of_lesson_12():
    assert summary.first_checks() == list(summary.EXPECT)
    text = lesson_text("12").lower()
    for words in (r"\ln k", "*block by block*", "10^{-7}$ or less", "no point in giving it a thousand"):
        assert words in text
    assert "not the files: the batch" in text
    page = HTML.read_text(encoding="utf-8")
    for symptom, (_, cause) in broken.CHECKS.items():
        assert f"{symptom.replace(chr(39), '&#39;')}: <b>{cause}</b>" in page


def test_the_notation_is_that_of_page_00():
    names = [name for name, _ in summary.notation()]
    assert names == ["w", "g", "t", "lr", "m", "v", "beta, beta1, beta2", "eps", "L, μ", "κ = L/μ", "m̂, v̂"]


# The file


def bare(page):
    """Return a page without fonts, pixels and coordinates."""
    return re.sub(MAKE_NUMBERS, "", re.sub(r"base64,[\w+/=]*", "", page))


def coordinates(page):
    return np.array([float(x) for text in re.findall(MAKE_NUMBERS, page) for x in re.split("[ ,]", text)])


def pixels(page):
    data = re.search(r"data:image/png;base64,([\w+/=]*)", page)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), dtype=float)


def test_the_sheet_in_assets_is_what_the_modules_say_today():
    stored, made = HTML.read_text(encoding="utf-8"), summary.page()
    assert bare(made) == bare(stored), AGAIN
    assert coordinates(made).shape == coordinates(stored).shape, AGAIN
    np.testing.assert_allclose(coordinates(made), coordinates(stored), atol=0.11, err_msg=AGAIN)
    assert np.abs(pixels(made) - pixels(stored)).mean() < 1, AGAIN


def test_the_printed_sheet_is_one_page_of_the_sheet_in_assets():
    data = PDF.read_bytes()
    mark = data.rsplit(b"% printed from ", 1)[1].strip().decode()
    assert mark == hashlib.sha256(HTML.read_bytes()).hexdigest(), AGAIN
    assert len(re.findall(rb"/Type\s*/Page\b", data)) == 1


def test_the_sheet_is_whole_by_itself_and_small():
    page = HTML.read_text(encoding="utf-8")
    assert not re.search(r"https?:|<script|<link|@import", page)
    assert len(page) < 150_000
    assert PDF.stat().st_size < 300_000


def test_its_own_font_holds_every_letter_of_it():
    page = HTML.read_text(encoding="utf-8")
    body = page.split("</style>")[1]
    letters = {ord(c) for c in re.sub(r"<[^>]*>", "", body)} - {ord("\n")}
    fonts = re.findall(r"data:font/woff;base64,([\w+/=]*)", page)
    assert len(fonts) == 2
    for font in fonts:
        with TTFont(io.BytesIO(base64.b64decode(font))) as opened:
            assert letters <= set(opened.getBestCmap())


# The command


def test_the_command_writes_a_page_and_the_printed_one(tmp_path, capsys):
    for suffix in ("html", "pdf"):
        out = tmp_path / f"sheet.{suffix}"
        assert main(["summary", "--out", str(out)]) == 0
        assert str(out) in capsys.readouterr().out
    assert (tmp_path / "sheet.html").read_text(encoding="utf-8") == summary.page()
    assert (tmp_path / "sheet.pdf").read_bytes() == PDF.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sheet.html", "sheet.pdf"]


def test_what_cannot_be_written_is_said_in_a_sentence(tmp_path, capsys):
    assert main(["summary", "--out", str(tmp_path / "sheet.doc")]) == 2
    assert "'sheet.doc' is no .html and no .pdf" in capsys.readouterr().err
    assert main(["summary", "--out", str(tmp_path / "nowhere" / "sheet.html")]) == 2
    assert "cannot write" in capsys.readouterr().err


# On paper

PAPERS = {"A4": (210, 297), "Letter": (215.9, 279.4)}
MEASURE = """() => {
  const sheet = document.querySelector('main').getBoundingClientRect(), points = 72 / 96, found = [];
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.data.trim()) continue;
    const range = document.createRange(); range.selectNodeContents(node);
    const own = range.getBoundingClientRect(), parent = node.parentElement;
    const scale = parent.getScreenCTM && parent.closest('svg') ? parent.getScreenCTM().a : 1;
    const home = parent.closest('td, th, figure, section, header, footer').getBoundingClientRect();
    found.push({text: node.data.trim(), size: points * scale * parseFloat(getComputedStyle(parent).fontSize),
      outside: [own.left, own.top, own.right, own.bottom, home.left, home.top, home.right, home.bottom],
      page: own.left >= sheet.left - 1 && own.right <= sheet.right + 1 && own.bottom <= sheet.bottom + 1});
  }
  const blocks = [...document.querySelectorAll('header, .rules, section, footer')].map(e => {
    const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]});
  return {found, blocks, width: sheet.width / 96 * 25.4, height: sheet.height / 96 * 25.4,
    content: document.documentElement.scrollHeight / 96 * 25.4,
    fonts: [...document.fonts].map(f => f.status)};
}"""


@pytest.fixture
def browser_page(browser):
    page = browser.new_page(viewport={"width": 733, "height": 900})
    page.set_content(HTML.read_text(encoding="utf-8"))
    yield page
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("paper", PAPERS)
def test_it_prints_on_exactly_one_page(browser_page, paper):
    pdf = browser_page.pdf(format=paper, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


@pytest.mark.browser
def test_on_paper_nothing_is_cut_or_covered_and_no_letter_is_below_six_and_a_half_points(browser_page):
    browser_page.emulate_media(media="print")
    seen = browser_page.evaluate(MEASURE)
    assert seen["fonts"] == ["loaded", "loaded"]
    for width, height in PAPERS.values():  # a quarter of an inch is what printers leave white
        assert seen["width"] <= width - 2 * 6.35
        assert seen["height"] <= height - 2 * 6.35
    assert seen["content"] <= seen["height"] + 0.5
    for item in seen["found"]:
        assert item["size"] >= 6.49, item
        left, top, right, bottom, *home = item["outside"]
        assert item["page"], item
        assert left >= home[0] - 6, item  # a caption may be a little wider than its picture
        assert right <= home[2] + 6, item
        assert top >= home[1] - 2, item
        assert bottom <= home[3] + 2, item
    blocks = np.array(seen["blocks"])
    for i, (left, top, right, bottom) in enumerate(blocks):
        for other in blocks[i + 1 :]:
            apart = left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= bottom
            assert apart, (i, other)


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_on_a_screen_it_is_as_wide_as_the_window_and_the_letters_are_of_usual_size(browser_page, width):
    browser_page.set_viewport_size({"width": width, "height": 800})
    seen = browser_page.evaluate(
        "() => [document.documentElement.scrollWidth,"
        " parseFloat(getComputedStyle(document.querySelector('li')).fontSize)]"
    )
    assert seen[0] <= width
    assert seen[1] >= 13


@pytest.mark.browser
def test_every_picture_has_a_text_and_every_table_its_headings(browser_page):
    roles = browser_page.evaluate(
        "() => [...document.querySelectorAll('svg')].map("
        "e => ['role', 'aria-label', 'aria-hidden'].map(name => e.getAttribute(name)))"
    )
    for role, label, hidden in roles:
        assert hidden == "true" or (role == "img" and len(label) > 10)
    for table in ("table.rules", ".theory table"):
        assert browser_page.locator(f"{table} thead th").count() > 3
