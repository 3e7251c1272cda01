"""The course as a site: built by one command, live without a kernel, over http and from a disk."""

import pytest
from site_page import SitePage, addresses, katex, require_extra, site

LESSON = "01_gradient_descent"
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def built(tmp_path_factory, cache):
    """Return the folder of a site of the first two lessons, with few stops."""
    require_extra()
    folder = tmp_path_factory.mktemp("sites") / "a site"
    done = site(folder, "--lesson", "1", "--stops", "3", "--katex", katex(), cache=cache)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("how", ["http", "file"])
def test_every_picture_of_a_lesson_moves_and_moves_back_without_a_kernel(how, built, browser):
    with addresses(how, built) as address:
        reader = SitePage(browser, address)
        reader.open(f"{LESSON}.html")
        figures = reader.figures()
        for figure in figures:
            explorer = reader.wake(figure)
            for control in reader.controls(explorer):
                before, away, after = reader.to_and_fro(explorer, control)
                name = control.get_attribute("data-knob")
                assert before[0] != away[0], f"{name} changes nothing"
                assert after == before, f"{name} does not come back"
        assert len(figures) == 6
        assert reader.page.locator(".katex").count() > 50
        assert not reader.page.locator(".katex-error").count()
        assert (reader.complaints, reader.strangers) == ([], [])
        reader.close()
