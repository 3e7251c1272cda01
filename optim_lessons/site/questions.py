"""The questions with a choice of letters as buttons on a page; their answers are what `check` says."""

import functools
import html

from markdown_it import MarkdownIt

from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.notebook import checked


def asked(source):
    """Return the exercise that a cell checks, and nothing else, or None."""
    found = checked(source)
    return EXERCISES.get(found[0]) if found else None


def answers(lesson):
    """Return what a lesson's page says to each letter of each question: id → letter → HTML."""
    return {
        exercise.id: {
            letter: as_html(exercise.judge(letter)._repr_markdown_()) for letter in exercise.options
        }
        for exercise in EXERCISES.values()
        if exercise.id.startswith(lesson[:2]) and exercise.kind == "choice"
    }


def buttons(exercise):
    """Return a question's buttons as HTML."""
    lines = [
        f'<fieldset class="ol-question" data-question="{exercise.id}"><legend>Your answer</legend>',
        *(
            f'<button type="button" value="{letter}" aria-pressed="false">'
            f"<b>{letter}</b> {inline(text)}</button>"
            for letter, text in exercise.options.items()
        ),
        '<div class="ol-answer" role="status"></div></fieldset>',
    ]
    return "\n".join(lines)


def in_lab(exercise):
    """Return how an exercise that no button answers is answered, as HTML."""
    number = int(exercise.id[:2])
    return (
        '<p class="ol-in-lab">✎ You answer this one in JupyterLab: '
        f"<code>optim-lessons {number}</code> opens this lesson there. Put your answer in the place of the "
        f"dots of <code>{html.escape(exercise.name)}</code> and run both cells; <code>check</code> says what "
        'is right and what is not. <a href="index.html#start">How to install</a></p>'
    )


@functools.cache
def _markdown():
    return MarkdownIt("commonmark")


def as_html(text):
    """Return Markdown as HTML."""
    return _markdown().render(text)


def inline(text):
    """Return a line of Markdown as HTML."""
    return _markdown().renderInline(text)
