"""Names and sizes: a ratchet against tails, never the judge."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FUNCTION = 40
LONGEST_MODULE = 500
MOST_ARGUMENTS = 6
EMPTY_MODULES = {"base", "common", "core", "helpers", "manager", "misc", "shared", "util", "utils"}
EMPTY_ENDINGS = re.compile(
    r"(Base|Controller|Engine|Factory|Handler|Helper|Impl|Manager|Mixin|Processor|Service|Util|Wrapper)$"
)


def modules() -> Iterator[Path]:
    for source in (ROOT / "src", ROOT / "lab" / "src"):
        yield from sorted(source.rglob("*.py"))


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_classes_and_functions_are_named_and_sized_for_reading(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert path.stem not in EMPTY_MODULES
    assert len(text.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            assert not EMPTY_ENDINGS.search(node.name), node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_lines(node) <= LONGEST_FUNCTION, node.name


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_first_what_it_is(path: Path) -> None:
    assert path.stat().st_size == 0 or ast.get_docstring(ast.parse(path.read_text("utf-8")))
