"""The data: the same parts every time, held-out parts untouched by scaling, and no network."""

import socket
import subprocess
import sys

import numpy as np
import pytest

from optim_lessons.lab import datasets
from optim_lessons.lab.datasets import ALPHABET, windows

ALL = [
    datasets.digits,
    datasets.breast_cancer,
    datasets.diabetes,
    datasets.rare_features,
    datasets.next_character,
]
MEASURED = [datasets.digits, datasets.breast_cancer, datasets.diabetes]


@pytest.mark.parametrize(
    ("load", "sizes", "features"),
    [
        (datasets.digits, (1077, 360, 360), 64),
        (datasets.breast_cancer, (341, 114, 114), 30),
        (datasets.diabetes, (264, 89, 89), 10),
        (datasets.rare_features, (1200, 400, 400), 100),
        (datasets.next_character, (5997, 1997, 1997), 81),
    ],
)
def test_parts_have_their_sizes(load, sizes, features):
    data = load()
    assert tuple(len(part.X) for part in data[1:]) == sizes
    for X, y in data[1:]:
        assert X.shape == (len(y), features)
        assert X.dtype == float
        assert np.isfinite(X).all()
    assert len(data.all.X) == len(data.all.y) == sum(sizes)


@pytest.mark.parametrize("load", ALL)
def test_no_call_opens_a_socket(load, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a data set went to the network")

    monkeypatch.setattr(socket, "socket", refuse)
    load.cache_clear()
    assert load().train.X.size


@pytest.mark.parametrize("load", ALL)
def test_a_second_call_gives_the_same_data_and_nobody_can_change_them(load):
    first = load()
    load.cache_clear()
    second = load()
    for a, b in zip(first[1:], second[1:], strict=True):
        np.testing.assert_array_equal(a.X, b.X)
        np.testing.assert_array_equal(a.y, b.y)
    with pytest.raises(ValueError, match="read-only"):
        second.train.X[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        second.test.y[0] = 1


def test_the_parts_are_the_ones_that_reported_numbers_were_taken_on():
    assert datasets.digits().test.y[:12].tolist() == [6, 6, 6, 2, 5, 6, 6, 2, 2, 1, 1, 9]
    assert datasets.breast_cancer().test.y[:12].tolist() == [0, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0]
    assert datasets.diabetes(scaled=False).test.y[:6].tolist() == [222, 259, 308, 71, 141, 142]
    assert datasets.rare_features().train.X.sum(axis=1)[:8].tolist() == [11, 9, 8, 9, 9, 8, 13, 13]


@pytest.mark.parametrize("load", MEASURED)
def test_the_parts_share_no_example_and_leave_none_out(load):
    from sklearn import datasets as sklearn_datasets

    options = {"scaled": False} if load is datasets.diabetes else {}
    X, y = getattr(sklearn_datasets, f"load_{load.__name__}")(return_X_y=True, **options)
    data = load(scaled=False)
    expected = np.column_stack([X, y])
    got = np.column_stack(data.all)
    np.testing.assert_array_equal(got[np.lexsort(got.T)], expected[np.lexsort(expected.T)])


@pytest.mark.parametrize("load", [datasets.breast_cancer, datasets.diabetes])
def test_scaled_inputs_have_mean_0_and_deviation_1_over_the_training_part_alone(load):
    data = load(scaled=True)
    np.testing.assert_allclose(data.train.X.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.train.X.std(axis=0), 1, rtol=1e-12)
    # The held-out parts are scaled by numbers that know nothing of them.
    assert np.abs(data.test.X.mean(axis=0)).max() > 0.01
    raw = load(scaled=False)
    undone = data.test.X * raw.train.X.std(axis=0) + raw.train.X.mean(axis=0)
    np.testing.assert_allclose(undone, raw.test.X, rtol=1e-9, atol=1e-9)


def test_scaled_digits_have_mean_0_in_each_pixel_and_one_common_deviation_of_1():
    X = datasets.digits().train.X
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)
    assert X.std() == pytest.approx(1)
    assert np.abs(datasets.digits().all.X).max() < 5  # a rare pixel is not blown up
    raw = datasets.digits(scaled=False).all.X
    assert (raw.min(), raw.max()) == (0, 16)


def test_the_scaled_target_of_the_diabetes_data_has_mean_0_and_deviation_1():
    y = datasets.diabetes().train.y
    assert y.mean() == pytest.approx(0, abs=1e-12)
    assert y.std() == pytest.approx(1)


@pytest.mark.parametrize("part", ["train", "all"])
def test_standardising_takes_the_condition_number_from_2e12_to_1e5(part):
    def condition(scaled):
        X = getattr(datasets.breast_cancer(scaled=scaled), part).X
        return np.linalg.cond(X.T @ X)

    assert 2e12 < condition(scaled=False) < 5e12
    assert 0.9e5 < condition(scaled=True) < 1.1e5


def test_rare_features_are_as_rare_as_they_say():
    X, y = datasets.rare_features(examples=20_000).all
    shares = X.mean(axis=0)
    assert shares[0] == pytest.approx(0.5, abs=0.015)  # four standard errors
    assert shares[-1] == pytest.approx(0.005, abs=0.002)
    assert set(np.unique(X)) == {0, 1}
    assert 0.4 < y.mean() < 0.6


def test_another_seed_makes_other_rare_features():
    assert (datasets.rare_features(seed=1).train.X != datasets.rare_features(seed=0).train.X).any()


def test_windows_are_the_characters_before_and_the_one_after():
    X, y = windows("abc d", context=2)
    assert X.shape == (3, 2 * 27)
    letters = [[ALPHABET[i] for i in row.reshape(2, 27).argmax(axis=1)] for row in X]
    assert letters == [["a", "b"], ["b", "c"], ["c", " "]]
    assert [ALPHABET[i] for i in y] == ["c", " ", "d"]
    np.testing.assert_array_equal(X.sum(axis=1), 2)


def test_the_parts_of_a_text_follow_each_other_and_do_not_overlap():
    data = datasets.next_character(context=2, characters=1000)
    assert [len(part.y) for part in data[1:]] == [598, 198, 198]
    text = datasets._help_text()
    for part, start in zip(data[1:], [0, 600, 800], strict=True):
        read = "".join(ALPHABET[i] for i in part.y)
        assert read == text[start + 2 : start + 2 + len(read)]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: windows("Abc"), r"holds 'A': .* from a to z"),
        (lambda: windows("ab", context=2), "has 2 characters, the context 2"),
        (lambda: windows("ab", context=0), "the context 0"),
        (lambda: datasets.next_character(context=0), "context is 0"),
        (lambda: datasets.next_character(characters=10**9), "the text has [0-9]+ characters"),
        (lambda: datasets.rare_features(rarest=0), "rarest is 0: it is a share"),
        (lambda: datasets.rare_features(rarest=0.9), "rarest is 0.9"),
    ],
)
def test_what_cannot_be_made_is_refused_with_its_value(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_a_python_without_its_help_topics_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    datasets.next_character.cache_clear()
    with pytest.raises(ImportError, match="came without its help topics"):
        datasets.next_character()


def test_no_data_set_loads_a_heavy_library_not_even_the_one_whose_files_it_reads():
    code = (
        "import sys; from optim_lessons.lab import datasets, models, train; "
        "datasets.rare_features(); datasets.next_character(); "
        "datasets.digits(); datasets.breast_cancer(); datasets.diabetes(); "
        "loaded = [m for m in ('sklearn', 'scipy', 'tqdm', 'matplotlib') if m in sys.modules]; "
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
