"""Pages from templates, which escape whatever they are given."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def templates(**filters):
    """Return the templates in templates/, with filters of their own by name."""
    pages = Environment(
        loader=PackageLoader("optim_lessons.teaching"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= filters
    return pages
