"""The course as a site: built by one command, live without a kernel, over http and from a disk."""

import gzip
import json
import re

import pytest
from PIL import Image
from site_page import SitePage, addresses, katex, require_extra, site

from optim_lessons.course.cli import main
from optim_lessons.course.copies.workbook import pristine
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.lab.explore import explore
from optim_lessons.pictures.gradient_descent import parabola
from optim_lessons.site import command, pages, record
from optim_lessons.site.build import MARK

LESSON = "01_gradient_descent"
FEW = ("--lesson", "1", "--stops", "3")
BROKEN = """
from optim_lessons.lab.live import LiveFigure

first, drawn = LiveFigure.frame, set()

def frame(figure, values):
    if figure in drawn:
        raise ValueError("no such picture")
    drawn.add(figure)
    return first(figure, values)

LiveFigure.frame = frame
"""
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def built(tmp_path_factory, cache):
    """Return the folder of a site of the first two lessons, with few stops."""
    require_extra()
    folder = tmp_path_factory.mktemp("sites") / "a site"
    done = site(folder, *FEW, "--katex", katex(), cache=cache)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(params=["http", "file"])
def address(request, built):
    with addresses(request.param, built) as address:
        yield address


@pytest.fixture
def reader(browser, address):
    """Yield a reader whose browser has nothing but the site, and complains of nothing."""
    reader = SitePage(browser, address)
    yield reader
    assert (reader.complaints, reader.strangers) == ([], [])
    reader.close()


@pytest.fixture
def at_hand(built):
    return built.as_uri() + "/"


def test_every_picture_of_a_lesson_moves_and_moves_back_without_a_kernel(reader):
    reader.open(f"{LESSON}.html")
    figures = reader.figures()
    for figure in figures:
        assert reader.stuck(figure) == []
    assert len(figures) == 6
    assert reader.page.locator(".katex").count() > 50


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (360, "dark")])
def test_a_page_serves_all_readers_on_a_laptop_and_on_a_phone(width, scheme, browser, at_hand):
    screen = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme, "has_touch": width < 400}
    reader = SitePage(browser, at_hand, **screen)
    for name in ("index.html", f"{LESSON}.html", "search.html"):
        reader.open(name)
        for figure in reader.figures():
            reader.wake(figure)
        assert reader.faults() == [], name
    reader.close()


def test_a_finger_moves_a_slider(browser, at_hand):
    reader = SitePage(browser, at_hand, viewport={"width": 360, "height": 740}, has_touch=True)
    reader.open(f"{LESSON}.html")
    explorer = reader.wake(reader.figures()[0])
    slider = reader.controls(explorer)[0]
    slider.scroll_into_view_if_needed()
    before, place = reader.picture(explorer), slider.input_value()
    box = slider.bounding_box()
    reader.page.touchscreen.tap(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    assert slider.input_value() != place
    assert reader.picture(explorer) != before
    reader.close()


def test_a_page_shows_its_pictures_before_any_script_has_run(browser, at_hand):
    reader = SitePage(browser, at_hand, java_script_enabled=False)
    reader.page.goto(at_hand + f"{LESSON}.html")
    for figure in reader.figures():
        figure.scroll_into_view_if_needed()
        still = figure.locator("img")
        still.wait_for(state="visible")
        assert still.bounding_box()["height"] > 100
        assert still.get_attribute("alt") == figure.locator(".ol-sentence").text_content()
    reader.close()


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ("delete window.DecompressionStream", "DecompressionStream"),
        ("delete HTMLCanvasElement.prototype.getContext", "canvas"),
    ],
)
def test_an_old_browser_keeps_the_stills_and_says_what_it_lacks(broken, named, browser, at_hand):
    reader = SitePage(browser, at_hand, color_scheme="dark")
    reader.page.add_init_script(broken)
    reader.open(f"{LESSON}.html")
    for figure in reader.figures():
        assert figure.locator("img").count() == 1
        assert named in figure.locator(".ol-note").text_content()
    assert (reader.faults(), reader.complaints) == ([], [])
    reader.close()


# What the race has shown since the page began to load.
_STEPS = """window.steps = [];
window.addEventListener("optim-lessons-painted", ({ detail }) => steps.push(detail.player.value("steps")));"""


@pytest.mark.parametrize(("motion", "plays"), [("no-preference", True), ("reduce", False)])
def test_the_race_on_the_start_page_plays_once_unless_its_reader_wishes_less_motion(
    motion, plays, browser, at_hand
):
    reader = SitePage(browser, at_hand, reduced_motion=motion)
    reader.page.add_init_script(_STEPS)
    reader.open("index.html")
    reader.wake(reader.figures()[0])
    if plays:
        reader.page.wait_for_function("() => steps.length > 2 && steps.at(-1) === steps[0]")
    first, *played = reader.page.evaluate("() => steps")
    assert played == (sorted(played) if plays else [])
    for place in ("document.body.scrollHeight", "0"):
        reader.page.evaluate(f"() => window.scrollTo(0, {place})")
        reader.page.wait_for_timeout(400)
    assert reader.page.evaluate("() => steps") == [first, *played], "it plays again"
    reader.close()


def test_a_search_finds_a_lesson_by_a_word_of_it(reader):
    reader.open("search.html?q=ravine")
    found = reader.page.locator("#search-results li a")
    found.first.wait_for()
    assert f"{LESSON}.html" in " ".join(found.evaluate_all("all => all.map(a => a.href)"))


def test_a_question_is_answered_by_buttons_in_the_words_of_check(reader):
    reader.open(f"{LESSON}.html")
    question = reader.page.locator(".ol-question").first
    exercise = EXERCISES[question.get_attribute("data-question")]
    for letter in exercise.options:
        question.locator(f"button[value={letter}]").click()
        answer = question.locator(".ol-answer")
        answer.locator("p").first.wait_for()
        said = exercise.judge(letter)._repr_markdown_()
        assert _words(answer.inner_text()) == _words(re.sub(r"[*`]", "", said))
        assert question.locator("[aria-pressed=true]").get_attribute("value") == letter


def _words(text):
    return " ".join(re.findall(r"\w+", text))


def test_a_page_gives_its_notebook_and_leads_nowhere_else_without_a_repository(built):
    page = (built / f"{LESSON}.html").read_text(encoding="utf-8")
    ways = re.search(r'<p class="ol-ways">.*?</p>', page, re.DOTALL)[0]
    assert re.findall('href="([^"]*)"', ways) == [f"notebooks/{LESSON}.ipynb"]
    assert (built / f"notebooks/{LESSON}.ipynb").read_bytes() == pristine(LESSON)


def test_a_repository_gives_links_to_binder_colab_and_the_source():
    shown = pages.ways(LESSON, "somebody/optim")
    for address in (
        f"https://mybinder.org/v2/gh/somebody/optim/HEAD?urlpath=lab%2Ftree%2Fnotebooks%2F{LESSON}.ipynb",
        f"https://colab.research.google.com/github/somebody/optim/blob/HEAD/notebooks/{LESSON}.ipynb",
        f"https://github.com/somebody/optim/blob/HEAD/notebooks/{LESSON}.ipynb",
    ):
        assert f'href="{address}"' in shown


def test_whoever_links_to_a_page_finds_its_title_its_description_and_a_picture(built):
    head = (built / f"{LESSON}.html").read_text(encoding="utf-8").split("</head>")[0]
    assert "<title>01 · Gradient descent - Optim Lessons</title>" in head
    assert 'name="description" content="You drag a learning rate' in head
    with Image.open(built / "_static/preview.png") as picture:
        assert picture.size == (1200, 630)


def test_a_second_build_records_nothing_and_writes_nothing_anew(built, cache):
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*") if path.is_file()}
    done = site(built, *FEW, "--katex", katex(), cache=cache)
    assert done.returncode == 0, done.stderr
    after = {path: path.stat().st_mtime_ns for path in built.rglob("*") if path.is_file()}
    again = sorted(path.name for path in after if after[path] != before.get(path))
    assert "recording:" not in done.stderr
    assert again == [MARK]
    assert before.keys() == after.keys()


def test_a_folder_that_holds_something_else_is_refused_and_keeps_it(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    assert main(["site", str(tmp_path)]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["mine"]


def test_a_missing_extra_is_named_with_the_line_to_type(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "furo" else name)
    assert main(["site", str(tmp_path / "new")]) == 2
    assert 'Furo is not installed. Type: pip install "optim_lessons[site]"' in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_picture_that_cannot_be_recorded_is_named_and_the_build_ends_as_failed(tmp_path, monkeypatch):
    require_extra()
    (tmp_path / "sitecustomize.py").write_text(BROKEN, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = site(tmp_path / "new", *FEW, "--katex", katex(), cache=tmp_path / "cache")
    assert done.returncode == 1
    assert re.search(r"0[01]_\w+, the explorer of cell '[\w-]+' cannot be recorded", done.stderr)
    assert "no such picture" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("largest", "stops"), [(record.LARGEST, 40), (1, 5)])
def test_a_picture_that_would_be_too_large_gets_fewer_stops(largest, stops, monkeypatch):
    monkeypatch.setattr(record, "LARGEST", largest)
    data = gzip.decompress(record.record(explore(parabola()), 40))
    header = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
    assert max(len(knob["stops"]) for knob in header["sheet"]["knobs"]) == stops
