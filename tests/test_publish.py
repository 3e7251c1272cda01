import base64
import io

import nbformat
import numpy as np
import pytest
from PIL import Image

from optim_lessons.course.cli import main
from optim_lessons.course.publish import (
    NOTEBOOK_BYTES,
    PICTURE_BYTES,
    WIDGET,
    NotPublishable,
    as_bytes,
    read,
    small_png,
    tidy,
)
from optim_lessons.course.publish import publish as publish_file

FIGURE = """\
import matplotlib.pyplot as plt
figure, ax = plt.subplots()
ax.plot([0, 1, 4, 9])
plt.show()"""
SLIDER = """\
import ipywidgets
print("a slider")
ipywidgets.IntSlider(3)"""


def notebook_of(*sources):
    cells = [nbformat.v4.new_code_cell(source, id=f"code-{i}") for i, source in enumerate(sources)]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Größe", id="title"), *cells])


@pytest.fixture
def made(tmp_path):
    """Return a function that writes a notebook of these sources and returns its path."""

    def make(*sources):
        path = tmp_path / "01_made.ipynb"
        nbformat.write(notebook_of(*sources), path)
        return path

    return make


def outputs(path):
    return [output for cell in read(path.read_bytes()).cells for output in cell.get("outputs", [])]


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def noise(side, colours=256):
    return np.random.default_rng(0).integers(0, colours, (side, side, 3)).astype(np.uint8) * (256 // colours)


def holding(output, count=1):
    notebook = notebook_of("1")
    notebook.cells[1].outputs = [nbformat.from_dict(output)]
    notebook.cells[1].execution_count = count
    return notebook


def encoded(data):
    return base64.b64encode(data).decode()


def displayed(mime, data):
    return {"output_type": "display_data", "data": {mime: encoded(data)}, "metadata": {}}


def test_a_notebook_published_twice_is_the_same_file_and_holds_pictures_and_texts_but_no_widget(made):
    path = made(FIGURE, SLIDER)
    assert publish_file(path)
    once = path.read_bytes()
    assert not publish_file(path)
    assert path.read_bytes() == once
    assert once.endswith(b"}\n")
    assert "Größe".encode() in once

    picture, text, slider = outputs(path)
    assert base64.b64decode(picture.data["image/png"]).startswith(b"\x89PNG")
    assert text.text == "a slider\n"
    assert slider.data == {"text/plain": "IntSlider(value=3)"}
    cells = read(once).cells
    assert [cell.execution_count for cell in cells[1:]] == [1, 2]
    assert [cell.id for cell in cells] == ["title", "code-0", "code-1"]
    assert not list(path.parent.glob(".*")), "a draft was left behind"


def test_a_cell_tagged_measured_keeps_its_output_until_that_is_cleared(made):
    def shown():
        return [output.get("text") or output.data["text/plain"] for output in outputs(path)]

    def changed(edit):
        notebook = read(path.read_bytes())
        edit(notebook)
        nbformat.write(notebook, path)

    path = made("import time", "time.time_ns()", "print(time.time_ns())")
    changed(lambda notebook: notebook.cells[2].metadata.update(tags=["measured"]))
    publish_file(path)
    first = shown()
    publish_file(path)
    assert shown()[0] == first[0]
    assert shown()[1] != first[1]
    changed(lambda notebook: notebook.cells.insert(1, nbformat.v4.new_code_cell("1", id="new")))
    publish_file(path)
    assert shown()[1] == first[0]
    changed(lambda notebook: notebook.cells[3].update(outputs=[]))
    publish_file(path)
    assert shown()[1] != first[0]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import warnings; warnings.warn('old news')", "old news"),
        ("object()", "memory address"),
        ("", "empty cell"),
    ],
)
def test_a_notebook_that_fails_warns_or_prints_an_address_is_refused_and_left_as_it_is(
    made, source, reason, capsys
):
    path = made("1 + 1", source)
    before = path.read_bytes()
    assert main(["publish", str(path)]) == 1
    assert reason in capsys.readouterr().err
    assert path.read_bytes() == before


def test_one_bad_notebook_does_not_keep_the_others_from_being_published(made, tmp_path, capsys):
    bad = made("1 / 0").rename(tmp_path / "bad.ipynb")
    good = made("1 + 1")
    assert main(["publish", str(bad), str(good)]) == 1
    assert "01_made.ipynb: changed" in capsys.readouterr().out
    assert outputs(good)[0].data["text/plain"] == "2"


def test_what_a_run_or_an_editor_leaves_behind_is_removed_and_tags_stay():
    notebook = holding(
        {
            "output_type": "execute_result",
            "execution_count": 1,
            "data": {
                WIDGET: {"model_id": "1f"},
                "image/png": encoded(png(noise(8))),
            },
            "metadata": {"image/png": {"alt": "noise"}},
        }
    )
    notebook.metadata.update(
        kernelspec={"name": "my-venv", "display_name": "my venv", "language": "python"},
        language_info={"name": "python", "version": "3.11.7"},
        widgets={WIDGET: {}},
    )
    notebook.cells[1].metadata.update(
        execution={"iopub.execute_input": "2025-01-01"}, tags=["keep"], scrolled=True, vscode={}
    )
    neat = tidy(notebook)
    assert neat.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert neat.cells[1].metadata == {"tags": ["keep"]}
    assert list(neat.cells[1].outputs[0].data) == ["image/png"]
    assert neat.cells[1].outputs[0].metadata == {"image/png": {"alt": "noise"}}
    assert as_bytes(tidy(neat)) == as_bytes(neat)


def test_a_text_printed_in_pieces_is_stored_as_one():
    notebook = holding({"output_type": "stream", "name": "stdout", "text": "one "})
    notebook.cells[1].outputs.append(
        nbformat.from_dict({"output_type": "stream", "name": "stdout", "text": "two"})
    )
    assert [output.text for output in tidy(notebook).cells[1].outputs] == ["one two"]


def test_a_progress_bar_is_not_stored_and_is_no_warning_but_what_stands_beside_it_is():
    bar = "\r  0%|          | 0/7 [00:00<?, ? jobs/s]\r100%|██████████| 7/7 [00:02<00:00,  3.1 jobs/s]\n"

    def notebook(text):
        return holding({"output_type": "stream", "name": "stderr", "text": text})

    assert tidy(notebook(bar)).cells[1].outputs == []
    with pytest.raises(NotPublishable, match="writes to stderr"):
        tidy(notebook(bar + "UserWarning: 50%| of it\n"))


@pytest.mark.parametrize("count", [None, 0, 7])
def test_cells_that_were_not_run_from_top_to_bottom_are_refused(count):
    text = {"output_type": "stream", "name": "stdout", "text": "1"}
    with pytest.raises(NotPublishable, match=rf"count {count} where 1 is due"):
        tidy(holding(text, count))


def test_a_picture_gets_a_palette_and_so_few_colours_that_it_is_small_enough():
    simple = np.full((400, 600, 3), 250, np.uint8)
    simple[100:200, 50:60] = (200, 30, 40)
    large = png(noise(300))  # 24 bits of noise for each of 90,000 pixels: 270 kB
    assert len(large) > PICTURE_BYTES
    for data in (png(simple), large):
        small = small_png(data)
        assert len(small) <= PICTURE_BYTES
        assert Image.open(io.BytesIO(small)).mode == "P"
        assert small_png(data) == small_png(small) == small
    exact = np.asarray(Image.open(io.BytesIO(small_png(png(simple)))).convert("RGB"))
    assert np.array_equal(exact, simple), "a picture of two colours keeps them"


def test_transparent_parts_of_a_picture_become_white():
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2] = (10, 20, 30, 255)
    flat = np.asarray(Image.open(io.BytesIO(small_png(png(pixels)))).convert("RGB"))
    assert (flat[:2] == (10, 20, 30)).all()
    assert (flat[2:] == 255).all()


def test_a_picture_that_cannot_be_made_small_enough_is_refused_with_its_size():
    with pytest.raises(NotPublishable, match=r"cell 1 \(code-0\) .* bytes, the limit is 160,000"):
        tidy(holding(displayed("image/png", png(noise(600)))))
    with pytest.raises(NotPublishable, match=r"160,001 bytes"):
        tidy(holding(displayed("image/jpeg", bytes(PICTURE_BYTES + 1))))


def test_a_notebook_that_is_too_large_is_refused(made):
    path = made(f"print('x' * {NOTEBOOK_BYTES})")
    before = path.read_bytes()
    with pytest.raises(NotPublishable, match=r"900,000: show fewer pictures"):
        publish_file(path)
    assert path.read_bytes() == before


def test_cells_without_an_id_get_one_from_their_place_and_no_two_the_same():
    old = b'{"cells": [{"cell_type": "markdown", "metadata": {}, "source": "a"}, \
        {"cell_type": "markdown", "metadata": {}, "source": "b", "id": "cell-00"}], \
        "metadata": {}, "nbformat": 4, "nbformat_minor": 2}'
    ids = [cell.id for cell in read(old).cells]
    assert ids == ["cell-00-new", "cell-00"]
    assert [cell.id for cell in read(old).cells] == ids
