"""Whoever cannot see a picture is told what it shows, in exported notebooks too."""

import html
import re

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter, SlidesExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output

from optim_lessons.course.alt_texts import AltTexts
from optim_lessons.lab.shipped import shipped

NOTEBOOKS = sorted(shipped("notebooks").glob("*.ipynb"))
IN_HTML = re.compile(r"""<img [^>]*alt=(["'])(.*?)\1[^>]*src="data:image/png;base64,""")
IN_MARKDOWN = re.compile(r"^!\[(.*)\]\([^)]*\)$", re.MULTILINE)


def pictures(notebook):
    """Return the descriptions of a notebook's pictures, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    bundles = [output for output in outputs if "image/png" in output.get("data", {})]
    return [output.metadata.get("image/png", {}).get("alt") for output in bundles]


def exported(exporter, notebook):
    page, _ = exporter(preprocessors=[AltTexts], exclude_input=True).from_notebook_node(notebook)
    return page


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_of_a_lesson_has_a_description_that_markdown_shows(path):
    notebook = nbformat.read(path, as_version=4)
    descriptions = pictures(notebook)
    assert all(descriptions)
    shown = [
        re.sub(r"\\([\\\[\]])", r"\1", text)
        for text in IN_MARKDOWN.findall(exported(MarkdownExporter, notebook))
    ]
    assert shown == [" ".join(text.split()) for text in descriptions]


@pytest.mark.parametrize("exporter", [HTMLExporter, SlidesExporter])
def test_web_pages_and_slides_show_each_picture_once_with_its_description_and_its_size(exporter):
    notebook = nbformat.read(shipped("notebooks") / "01_gradient_descent.ipynb", as_version=4)
    page = exported(exporter, notebook)
    assert [html.unescape(text) for _, text in IN_HTML.findall(page)] == pictures(notebook)
    assert page.count("<img ") == len(pictures(notebook))


def test_a_description_with_signs_of_its_own_stays_what_it_is():
    text = 'loss < 1 & "lr" [0.1] \\ end'
    output = new_output(
        "display_data", {"image/png": "AAAA"}, metadata={"image/png": {"alt": text, "width": 7}}
    )
    notebook = new_notebook(cells=[new_code_cell("", outputs=[output])])
    ((_, shown),) = IN_HTML.findall(exported(HTMLExporter, notebook))
    assert html.unescape(shown) == text
    assert 'width="7"' in exported(HTMLExporter, notebook)
    assert '![loss < 1 & "lr" \\[0.1\\] \\\\ end](' in exported(MarkdownExporter, notebook)


def test_a_picture_without_a_description_and_other_outputs_stay_as_they_are():
    outputs = [new_output("display_data", {"image/png": "AAAA"}), new_output("stream", text="words")]
    notebook = new_notebook(cells=[new_code_cell("", outputs=outputs)])
    cell, _ = AltTexts().preprocess_cell(notebook.cells[0], {}, 0)
    assert [list(output.get("data", {})) for output in cell.outputs] == [["image/png"], []]
