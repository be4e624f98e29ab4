import html
import re

from builders.hostile import NAMES, TEXTS
from builders.incidents import named, pool_exhausted
from hypothesis import given, settings
from markdown_it import MarkdownIt

from opsmith.explain.markdown import code, escaped, fenced, markdown
from opsmith.explain.tell import tell

# `html` on: a viewer that lets raw HTML through must find none.
BLOCKS = ("h1", "h2", "h3", "p", "strong", "ul", "li", "code", "pre")
TABLE = ("table", "thead", "tbody", "tr", "th", "td")
VIEWER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def shown(source: str) -> str:
    """What a reader sees, without the markup around it."""
    return html.unescape(re.sub(r"<[^>]*>", "", VIEWER.render(source)))


@given(text=TEXTS)
def test_an_escaped_text_is_shown_as_it_is_written(text: str) -> None:
    one_line = " ".join("".join(c for c in text if c.isprintable()).split())

    rendered = VIEWER.render(f"x {escaped(one_line)} x")

    assert html.unescape(rendered) == f"<p>x {one_line} x</p>\n".replace("x  x", "x  x")


@given(text=TEXTS)
def test_a_text_at_the_start_of_a_line_opens_no_block(text: str) -> None:
    one_line = " ".join("".join(c for c in text if c.isprintable()).split())

    rendered = VIEWER.render(escaped(one_line))

    assert html.unescape(rendered) == (f"<p>{one_line}</p>\n" if one_line else "")


@given(text=TEXTS)
def test_a_text_stays_in_its_cell_of_a_table(text: str) -> None:
    one_line = " ".join("".join(c for c in text if c.isprintable()).split())

    rendered = VIEWER.render(f"| a | b |\n|---|---|\n| {escaped(one_line)} | z |\n")

    assert rendered.count("<td>") == 2
    assert f"<td>{html.escape(one_line)}</td>" in rendered.replace("&quot;", "&quot;").replace(
        "'", "&#x27;"
    )


@given(text=NAMES)
def test_code_is_shown_as_it_is_written(text: str) -> None:
    assert shown(str(fenced(text))).rstrip("\n") == text.rstrip("\n")
    if text.strip() == text:
        assert f"<code>{html.escape(text, quote=False)}" in VIEWER.render(
            f"x {code(text)} x"
        ).replace("&quot;", '"')


@settings(max_examples=30)
@given(name=NAMES, text=TEXTS)
def test_no_name_becomes_markup_in_a_whole_report(name: str, text: str) -> None:
    incident = named(name, text)
    source = markdown(tell(incident.diagnosis, incident.recording, top=5))

    tags = set(re.findall(r"<([a-z0-9]+)[ >]", VIEWER.render(source)))

    assert tags <= {*BLOCKS, *TABLE}


def test_links_are_not_made_of_plain_addresses() -> None:
    assert "://" not in escaped("see https://evil.example")
    assert "www." not in escaped("see WWW.evil.example".lower())


def test_the_report_of_a_plain_incident_reads_well_as_source() -> None:
    incident = pool_exhausted()

    source = markdown(tell(incident.diagnosis, incident.recording, top=5))

    assert source.startswith("# Root cause found: 2026-03-01 checkout latency\n")
    assert "\n\n\n" not in source
