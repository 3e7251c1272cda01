"""The table of exercises: every solution is right, and what the exercises claim is true."""

import ast
import inspect
import re
from decimal import Decimal
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest

from optim_lessons.course.check import check
from optim_lessons.course.exercises import EXERCISES, lesson_02
from optim_lessons.course.exercises.lesson_01 import STEPS, TARGET, clipped_descent, four_runs
from optim_lessons.course.notebook import parse, sources
from optim_lessons.gradient_descent import best_lr, gradient_descent, largest_stable_lr
from optim_lessons.lab.path import path
from optim_lessons.lab.shipped import shipped
from optim_lessons.landscapes import d2l, quadratic
from optim_lessons.studies import unknown, unnamed

pytestmark = pytest.mark.essential


@pytest.fixture(autouse=True)
def new_attempt():
    unknown.unknown.start_again()


ALL = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.id)


def of_kind(*kinds):
    chosen = [e for e in EXERCISES.values() if e.kind in kinds]
    return pytest.mark.parametrize("exercise", chosen, ids=lambda e: e.id)


@ALL
def test_the_solution_runs_after_numpy_alone_and_is_right(exercise):
    namespace = {"np": np}
    exec(exercise.solution, namespace)
    verdict = check(exercise.id, namespace[exercise.name])
    assert verdict, verdict
    assert verdict.mistake is None
    assert verdict.text


@ALL
def test_an_answer_that_is_not_given_yet_is_still_open_and_no_mistake(exercise):
    for answer in (None, ...):
        verdict = check(exercise.id, answer)
        assert not verdict
        assert not verdict.done
        assert verdict.mistake is None


def test_ids_are_a_lesson_and_a_word_and_names_are_used_once():
    assert len({e.name for e in EXERCISES.values()}) == len(EXERCISES)
    for id, exercise in EXERCISES.items():
        assert id == exercise.id
        assert re.fullmatch(r"\d\d\.[a-z0-9_]+", id)
        assert exercise.name.isidentifier()
        assert exercise.kind in ("rule", "function", "number", "goal", "choice", "diagnosis")
        assert exercise.points >= 1


def test_the_exercises_stand_in_the_order_of_the_lessons():
    lessons = [id[:2] for id in EXERCISES]
    assert lessons == sorted(lessons)


@of_kind("rule", "function")
def test_a_rule_is_named_after_its_reference_and_asks_for_its_signature(exercise):
    word = exercise.reference.__name__
    assert exercise.id.endswith(f".{word}")
    assert exercise.name in (f"my_{word}", word)
    first_line = exercise.solution.splitlines()[0].removeprefix("def ").removesuffix(":")
    assert first_line in exercise.task


@ALL
def test_every_text_is_plain_sentences_with_code_in_backticks(exercise):
    assert exercise.task
    assert exercise.hint
    texts = [exercise.task, exercise.hint, exercise.because]
    texts += [text for m in exercise.mistakes for text in (m.text, m.hint)]
    for text in filter(None, texts):
        assert text.count("`") % 2 == 0, text
        prose = "".join(text.split("`")[::2])
        assert not re.search(r"[*_<>$\\]", prose), text  # these would turn into something else on the page
    for text in filter(None, [exercise.because, exercise.hint, *texts[3:]]):
        assert text.rstrip()[-1] in ".?!`", text


@of_kind("number", "choice")
def test_every_usual_wrong_answer_is_told_its_own_name(exercise):
    for mistake in exercise.mistakes:
        assert mistake.values
        for value in mistake.values:
            verdict = check(exercise.id, value)
            assert verdict.mistake == mistake.name, value
            assert mistake.text in verdict.text


@of_kind("number")
def test_a_number_that_is_wrong_in_an_unusual_way_gets_the_hint(exercise):
    verdict = check(exercise.id, 123456)
    assert not verdict
    assert verdict.mistake is None
    assert exercise.hint in verdict.text


@of_kind("number")
def test_a_number_may_be_rounded_to_three_digits_and_to_two_unless_it_is_told_why_not(exercise):
    exec(exercise.solution, names := {"np": np})
    value = float(names[exercise.name])
    assert check(exercise.id, float(f"{value:.2e}"))
    rounded = check(exercise.id, float(f"{value:.1e}"))
    assert rounded or rounded.mistake in ("rounded-too-far", "the-peak")


@of_kind("number", "goal")
def test_a_right_number_is_right_in_every_numeric_type(exercise):
    exec(exercise.solution, names := {"np": np})
    value = names[exercise.name]
    if isinstance(value, tuple):
        assert check(exercise.id, list(value))
        assert check(exercise.id, np.array(value))
    elif not isinstance(value, dict):
        for kind in (float, np.float64, np.float32, np.longdouble, np.array, Fraction, Decimal):
            assert check(exercise.id, kind(float(value))), kind


@of_kind("choice")
def test_every_letter_but_one_is_a_named_mistake(exercise):
    letters = re.findall(r"^([a-z])\) ", exercise.task, flags=re.M)
    assert len(letters) >= 3
    assert sum(bool(check(exercise.id, letter)) for letter in letters) == 1
    for letter in letters:
        verdict = check(exercise.id, letter)
        assert verdict or verdict.mistake not in (None, "no-choice")


def test_largest_lr_is_the_limit_that_the_theory_and_the_walk_agree_on():
    curvatures = np.array([0.5, 3.0, 40.0])
    limit = largest_stable_lr(curvatures)
    assert check("01.largest_lr", limit)
    for lr, converges in ((0.99 * limit, True), (1.01 * limit, False)):
        end = path(gradient_descent, lambda w: curvatures * w, np.ones(3), 2000, lr=lr)[-1]
        assert (np.linalg.norm(end) < 1e-3) == converges


def test_largest_lr_accepts_one_percent_of_error_and_no_more():
    assert check("01.largest_lr", 0.0495)
    assert check("01.largest_lr", 0.0505)
    assert not check("01.largest_lr", 0.0494)
    assert not check("01.largest_lr", 0.0506)


def _steps_to_a_tenth(lr, measure):
    ravine = quadratic(condition=100)
    start = np.array([1.0, 1.0])
    size = measure(path(gradient_descent, ravine.grad, start, 400, lr=lr))
    return int(np.argmax(size <= size[0] / 10))


def test_ravine_steps_is_what_a_walk_in_such_a_ravine_takes():
    best = best_lr(np.array([0.01, 1.0]))
    distance = lambda w: np.linalg.norm(w, axis=-1)  # noqa: E731
    assert check("01.ravine_steps", _steps_to_a_tenth(best, distance))
    assert check("01.ravine_steps", np.log(10) / -np.log(99 / 101))
    # The usual wrong answers are right answers to other questions.
    alone = lambda w: np.abs(w[..., 0])  # noqa: E731
    assert check("01.ravine_steps", _steps_to_a_tenth(1.0, alone)).mistake == "one-over-L"
    loss = quadratic(condition=100)
    assert check("01.ravine_steps", _steps_to_a_tenth(best, loss)).mistake == "loss-for-distance"


def test_good_lr_has_a_window_and_each_side_of_it_has_a_name():
    # From 0.43612 to 0.46325: below, the flat coordinate is left over, above, the steep one.
    def reached(lr):
        return d2l(path(gradient_descent, d2l.grad, d2l.start, STEPS, lr=lr))[-1] < TARGET

    for lr in np.linspace(0.42, 0.48, 61):
        assert bool(check("01.reach_target", lr)) == reached(lr) == (0.43612 < lr < 0.46325)
    for lr, name in (
        (0.01, "too-slow"),
        (0.436, "too-slow"),
        (0.464, "zig-zag"),
        (0.499, "zig-zag"),
        (0.5, "diverged"),
        (0.7, "diverged"),
        (1e300, "diverged"),
        (0, "not-positive"),
        (-0.45, "not-positive"),
    ):
        assert check("01.reach_target", lr).mistake == name, lr


def test_good_lr_says_how_far_the_walk_came():
    assert "After 20 steps the loss is 0.2104." in check("01.reach_target", 0.3).text


def test_the_four_runs_look_as_their_names_say():
    runs = four_runs()
    assert list(runs) == ["A", "B", "C", "D"]
    truth = eval(EXERCISES["01.diagnose"].solution.split(" = ", 1)[1])
    run = {cause: runs[letter] for letter, cause in truth.items()}

    signs = {cause: np.sign(r["steep"]) for cause, r in run.items()}
    assert np.all(signs["lr too large"][1:] == -signs["lr too large"][:-1])
    for cause in ("wrong sign", "lr too small"):
        assert np.all(signs[cause] == signs[cause][0])
    for cause in ("wrong sign", "lr too large"):
        assert np.all(np.diff(np.abs(run[cause]["steep"])) > 0)
        assert run[cause]["loss"][-1] > 10 * run[cause]["loss"][0]

    ravine = run["ravine"]["loss"]
    assert ravine[5] < 0.05 * ravine[0]  # fast at first ...
    assert ravine[-1] > 0.7 * ravine[5]  # ... then a long tail,
    assert abs(run["ravine"]["steep"][5]) < 1e-2  # with the steep coordinate at 0
    small = run["lr too small"]["loss"]
    assert np.all((small[1:] / small[:-1] > 0.95) & (small[1:] / small[:-1] < 0.99))
    assert run["lr too small"]["steep"][-1] > 0.2 * run["lr too small"]["steep"][0]


def test_every_run_taken_for_another_has_a_text_that_says_what_to_look_at():
    exercise = EXERCISES["01.diagnose"]
    truth = eval(exercise.solution.split(" = ", 1)[1])
    for letter, cause in truth.items():
        for said in set(truth.values()) - {cause}:
            verdict = check("01.diagnose", truth | {letter: said})
            assert verdict.mistake == f"{cause}-taken-for-{said}".replace(" ", "-")
            assert "3 of 4 are right." in verdict.text
            assert f"Run {letter}: you say `{said}`." in verdict.text
            assert cause not in verdict.text  # the hint is not the answer


DIAGNOSED = {
    "02.wrong_gradient": "gradient",
    "04.diagnose": "ball",
    "11.unfair": "report",
    "12.wrong_layer": "gradient",
    "13.diagnose": "map",
    "14.layers": "part",
    "14.diagnose": "step",
}


@of_kind("diagnosis")
def test_a_diagnosis_speaks_of_what_is_diagnosed(exercise):
    truth = eval(exercise.solution.split(" = ", 1)[1])
    letter, label = next(iter(truth.items()))
    other = next(m.values[1] for m in exercise.mistakes if m.values[0] == label)
    texts = [
        check(exercise.id, answer).text
        for answer in (truth | {letter: other}, truth | {letter: "x"}, {"?": 1})
    ]
    what = DIAGNOSED.get(exercise.id, "run")
    assert all(what.capitalize() in text or f"no {what} " in text for text in texts), texts
    assert what == "run" or not any(re.search(r"\bruns?\b", text, re.I) for text in texts)
    assert not any("cause" in text for text in texts)


def numbers_in(text):
    """Return the numbers that a text names, as strings."""
    return re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.]*\w)", text.replace(",", ""))


@ALL
def test_no_two_mistakes_read_alike_and_none_gives_the_answer_away(exercise):
    texts = [m.text for m in exercise.mistakes]
    if exercise.kind == "diagnosis":  # the text says what was claimed, whatever the truth is
        assert len(set(texts)) == len({m.values[1] for m in exercise.mistakes})
        assert not any(m.values[0] in m.text for m in exercise.mistakes if m.values[0] not in m.values[1])
        return
    assert len(set(texts)) == len(texts)
    assert not any(re.search(r"(half of|twice|minus) the (answer|limit)|is asked for; ", t) for t in texts)
    if exercise.kind == "choice":
        answer = next(line for line in exercise.task.splitlines() if check(exercise.id, line[0]))
        assert not any(answer[3:].lower() in f"{m.text} {m.hint}".lower() for m in exercise.mistakes)
    elif exercise.kind in ("number", "goal"):
        formulas = {"1", "2"} if exercise.kind == "goal" else ()  # numbers that any formula may hold
        for m in exercise.mistakes:
            numbers = set(numbers_in(f"{m.text} {m.hint}")) - set(formulas)
            assert not any(check(exercise.id, float(n)) for n in numbers), (m.name, numbers)


def _imports(path):
    """Yield (module, name) for each name that a notebook imports from the exercises."""
    for source in sources(path.read_bytes()):
        for node in (node for statement in parse(source) for node in ast.walk(statement)):
            if isinstance(node, ast.ImportFrom) and "exercises" in node.module:
                yield from ((node.module, alias.name) for alias in node.names)
            assert not (isinstance(node, ast.Import) and any("exercises" in a.name for a in node.names))


@pytest.mark.parametrize("path", sorted(shipped("notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_answer_is_one_tab_away_on_a_page(path):
    references = [e.reference for e in EXERCISES.values()]
    for module, name in _imports(path):
        value = getattr(import_module(module), name)
        assert inspect.isfunction(value) or hasattr(value, "cache_clear"), f"{name}: a module or a table"
        assert value not in references


def test_what_lesson_12_gives_to_diagnose_names_no_cause():
    source = inspect.getsource(unnamed)
    for id in ("12.diagnose_first", "12.diagnose_second", "12.wrong_layer"):
        truth = eval(EXERCISES[id].solution.split(" = ", 1)[1])
        assert not any(f'"{label}"' in source for label in truth.values())


def test_the_gradients_to_diagnose_look_alike_when_they_are_printed():
    for gradients in (lesson_02.four_gradients(), unnamed.four_gradients()[1]):
        assert len({(f.__qualname__, inspect.getsource(f)) for f in gradients.values()}) == 1


@pytest.mark.parametrize(
    ("change", "mistake", "text"),
    [
        ({"lr": 1e300}, "diverged", "left the finite numbers"),
        ({"decay": 1e300}, "diverged", "left the finite numbers"),
        ({"learning_rate": 0.1}, "no-entry", "has the key `'learning_rate'`: its keys are"),
        ({"lr": [0.1]}, "no-entry", "`[0.1]`, of type `list`: give one number"),
        ({"lr": "0.1"}, "no-entry", "without quotation marks"),
        ({"rule": "adamax"}, "no-entry", "choose one of"),
    ],
)
def test_a_wrong_entry_is_told_which_part_of_it(change, mistake, text):
    verdict = check("11.unknown", {"rule": "adamw", "lr": 0.03} | change)
    assert verdict.mistake == mistake
    assert text in verdict.text


def test_an_entry_may_write_its_rule_in_capitals_and_lacks_no_key_in_silence():
    entry = {"rule": " AdamW", "lr": 0.03, "schedule": "Cosine", "decay": 1}
    assert check("11.unknown", entry)
    assert "has no `'lr'`" in check("11.unknown", {"rule": "adam"}).text


def test_a_right_entry_is_told_only_what_is_known_of_it():
    because = EXERCISES["11.unknown"].because
    assert "only you know" in because
    assert "it was found on validation," not in because


def test_a_diagnosis_may_be_written_with_dashes_capitals_and_underscores():
    truth = {"A": "Ravine", "B": "wrong-sign", "C": "lr_too_small", "D": " LR too  large "}
    assert check("01.diagnose", truth)


def test_the_prediction_for_the_ravine_is_what_the_walk_does():
    ravine = quadratic(condition=100)
    w = path(gradient_descent, ravine.grad, np.array([1.0, 1.0]), 20, lr=0.99 * largest_stable_lr(1.0))
    flat, steep = w[:, 0], w[:, 1]
    assert np.all(np.sign(steep[1:]) == -np.sign(steep[:-1]))
    assert 0.6 < abs(steep[-1]) < 1
    assert 0.6 < flat[-1] < 1
    assert check("01.predict_ravine", "b")


def test_clipped_descent_shortens_long_gradients_and_leaves_short_ones():
    w = np.zeros((2, 2))
    g = np.array([[3.0, 4.0], [0.3, 0.4]])
    np.testing.assert_allclose(
        clipped_descent(w, g, lr=1.0, clip=1.0), [[-0.6, -0.8], [-0.3, -0.4]], rtol=1e-15
    )
    assert np.array_equal(clipped_descent(w, 0 * g), w)
