"""HTML: the story as one file that loads nothing and runs nothing."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from opsmith.explain.plots import HEIGHT, WIDTH
from opsmith.explain.story import Story


def html(story: Story) -> str:
    """The whole report as HTML. Its policy allows one style sheet, by its hash, and no script."""
    environment = Environment(
        loader=PackageLoader("opsmith.explain"), autoescape=True, undefined=StrictUndefined
    )
    style = files("opsmith.explain").joinpath("templates/report.css").read_text(encoding="utf-8")
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return environment.get_template("report.html.j2").render(
        story=story,
        style=Markup(style),  # noqa: S704 - our own file, no value in it
        style_hash=f"sha256-{digest}",
        plot_width=WIDTH,
        plot_height=HEIGHT,
    )
