"""What the page shows, and what it asks for, whenever answers come: early, late, in any order, or never."""

import base64

import pytest

from optim_lessons.lab import page as course_page
from optim_lessons.lab.frames import pack_frames
from optim_lessons.lab.live import LiveFigure, Scene

pytestmark = pytest.mark.browser


def build(figure):
    line = figure.subplots().plot([0, 1], [0, 1], animated=True)[0]

    def move(*, x):
        line.set_data([0, x], [0, 1])
        return f"x is {x:g}."

    return move


@pytest.fixture(scope="module")
def blank(browser):
    page = browser.new_page()
    page.set_content("<!doctype html><div id=here></div>")
    page.add_style_tag(content=course_page.style())
    page.add_script_tag(content=course_page.script())
    yield page
    page.close()


_OPEN = """([packed, values]) => {
  const sheet = {
    knobs: [{ name: "x", label: "x", kind: "number", stops: [0, 1, 2, 3, 4], default: 0 }],
    size: [640, 480], scale: 1, play: null, light: false,
  };
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  window.asked = [];
  window.player = new Player(sheet, [0], { ask: (values, id) => { asked.push([values[0], id]); } });
  const root = document.createElement("div");
  here.replaceChildren(root);
  window.view = new ExplorerView(root, player);
  window.root = root;
  window.give = (x, id) => player.load(bytes(packed[x]), id);
  give(0, null);
}"""
_SEEN = """() => ({
  shown: JSON.parse(root.dataset.shown)[0], busy: root.hasAttribute("aria-busy"),
  waiting: root.hasAttribute("data-waiting"), problem: root.querySelector("[role=alert]").textContent,
  words: root.querySelector("[role=status]").textContent, asked,
})"""
LONGER_THAN_BUSY = 250  # milliseconds after which a picture that has not come is marked as on its way


@pytest.fixture
def seen(blank):
    """Open an explorer whose answers the test gives; return what it shows after some words to it."""
    live = LiveFigure(Scene(build, {"x": 0.0}))
    frames = {x: live.frame({"x": float(x)}) for x in range(4)}
    book, counts, packed = live.book, None, []
    for x, frame in frames.items():
        data = pack_frames(book.news(counts), [frame.numbers], epoch=0, keys=[[x]], words=[frame.reading])
        counts = book.counts()
        packed.append(base64.b64encode(data).decode())
    blank.evaluate(_OPEN, [packed, [0]])

    def after(*words):
        for word in words:
            blank.evaluate(word)
        blank.wait_for_timeout(LONGER_THAN_BUSY)
        return blank.evaluate(_SEEN)

    return after


def move(x):
    return f"player.turn('x', {x})"


def give(x, wish):
    return f"give({x}, {wish})"


def fail(x, wish):
    return f"player.failed([{x}], 'x is {x}, which is too large', {wish})"


def at_rest(now, x):
    assert (now["shown"], now["words"]) == (x, f"x is {x}.")
    assert (now["busy"], now["waiting"], now["problem"]) == (False, False, "")


def test_a_picture_that_is_there_is_shown_without_a_question(seen):
    at_rest(seen(give(1, "null"), move(1)), 1)
    assert seen()["asked"] == []


def test_a_picture_that_is_not_there_is_asked_for_and_is_on_its_way_until_it_comes(seen):
    now = seen(move(1))
    assert (now["shown"], now["busy"], now["waiting"], now["asked"]) == (0, True, True, [[1, 1]])
    at_rest(seen(give(1, 1)), 1)


def test_a_late_picture_covers_none_that_was_wished_for_later(seen):
    at_rest(seen(give(2, "null"), move(1), move(2), give(1, 1)), 2)


def test_on_a_long_way_each_picture_that_comes_is_shown_and_the_last_is_asked_for(seen):
    now = seen(move(1), move(2), move(3), give(1, 1))
    assert (now["shown"], now["waiting"], now["asked"]) == (1, True, [[1, 1], [3, 3]])
    at_rest(seen(give(3, 3)), 3)


def test_what_cannot_be_drawn_says_so_and_the_next_good_value_ends_it(seen):
    now = seen(move(4), fail(4, 1))
    assert (now["shown"], now["busy"]) == (0, False)
    assert "x is 4, which is too large" in now["problem"]
    at_rest(seen(move(1), give(1, 2)), 1)


def test_a_failure_that_comes_when_the_hand_is_back_at_a_known_picture_leaves_it_at_rest(seen):
    at_rest(seen(move(4), move(0), fail(4, 1)), 0)
    at_rest(seen(), 0)


def test_a_failure_on_the_way_asks_for_where_the_hand_is_now(seen):
    now = seen(move(4), move(2), fail(4, 1))
    assert (now["shown"], now["waiting"], now["asked"]) == (0, True, [[4, 1], [2, 2]])
    at_rest(seen(give(2, 2)), 2)


def test_an_answer_that_comes_twice_changes_nothing(seen):
    at_rest(seen(move(1), give(1, 1), give(1, 1), move(0), fail(1, 1)), 0)


def test_where_the_page_draws_by_its_own_hand_no_picture_that_was_sent_stands_in(seen):
    prepared = "void (player.maker.prepares = (values) => values[0] < 2)"
    now = seen(give(1, "null"), give(2, "null"), prepared, move(2), move(1))
    assert (now["shown"], now["waiting"], now["asked"]) == (2, True, [[1, 2]])
    at_rest(seen(move(2)), 2)
