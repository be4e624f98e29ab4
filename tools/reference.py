#!/usr/bin/env python3
"""Write docs/reference/ from the code; with --check only say which pages are stale.

The pages: commands.md (every command with its options), settings.md, errors.md, seams.md.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TypeGuard

import click

from opsmith import errors
from opsmith.cli.main import COMMANDS, opsmith
from opsmith.settings import Settings, load

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "reference"
NOTE = "<!-- Written by `make docs` from the code; edit that, not this page. -->\n"


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` compare them; 1 when one was stale."""
    stale = [path for path, text in pages().items() if _read(path) != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run `make docs`\n")
        return 1 if stale else 0
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    made = {"commands": _commands, "settings": _settings, "errors": _errors, "seams": _seams}
    return {
        PAGES / f"{name}.md": NOTE + "\n" + "\n".join(lines()) + "\n"
        for name, lines in made.items()
    }


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", _paragraphs(opsmith.help or ""), "")
    yield "130 means that Ctrl-C ended the command, as shells have it."
    yield "Errors are one line on standard error; with `-o json` they are also one object on"
    yield 'standard output: `{"error": {"type", "message", "hint", "exit_code"}}`.'
    yield "Usage errors (an unknown option, a value out of range) are on standard error alone."
    root = click.Context(opsmith, info_name="opsmith")
    for name, (_, load_command) in sorted(COMMANDS.items()):
        yield from _command(load_command(), click.Context(load_command(), root, name))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from ("", f"## `{context.command_path}`", "", _paragraphs(command.help or ""), "")
    yield from ("```text", command.get_usage(context).removeprefix("Usage: "), "```")
    options = [one for one in command.params if isinstance(one, click.Option)]
    if options:
        yield from ("", "| option | default | what it does |", "|---|---|---|")
    for option in options:
        record = option.get_help_record(context)
        shown = record[0] if record else option.name or ""
        default = (
            "" if option.default in {None, False} or callable(option.default) else option.default
        )
        default = "" if "UNSET" in str(default).upper() else default
        yield f"| `{_cell(shown)}` | {_cell(str(default))} | {_cell(option.help or '')} |"
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from _command(child, click.Context(child, context, name))


def _settings() -> Iterator[str]:
    yield from ("# Settings", "", "A variable of the environment beats the default.", "")
    yield from ("| setting | variable | default | what it means |", "|---|---|---|---|")
    sentences = _described(Settings.__doc__ or "")
    defaults = load({"XDG_DATA_HOME": "~/.local/share"})
    for field in fields(Settings):
        default = getattr(defaults, field.name)
        shown = "none" if default is None else str(default)
        variable = f"OPSMITH_{field.name.upper()}"
        what = sentences[field.name]
        yield f"| `{field.name}` | `{variable}` | `{_cell(shown)}` | {_cell(what)} |"


def _described(docstring: str) -> dict[str, str]:
    """The `name: sentence` lines of a docstring, with their continuation lines."""
    names = {field.name for field in fields(Settings)}
    found: dict[str, str] = {}
    last = ""
    for line in inspect.cleandoc(docstring).splitlines():
        name, colon, rest = line.partition(":")
        if colon and name.strip() in names:
            last = name.strip()
            found[last] = rest.strip()
        elif last and line.startswith(" "):
            found[last] += " " + line.strip()
        else:
            last = ""
    return found


def _errors() -> Iterator[str]:
    yield from (
        "# Errors",
        "",
        "Three families: what was asked, the world outside, the house.",
        "",
    )
    yield from ("| error | family | exit code | HTTP status | retried | what it means |",)
    yield "|---|---|---|---|---|---|"
    for error in _tree(errors.OpsmithError):
        family = error.__mro__[1].__name__ if error is not errors.OpsmithError else ""
        meaning = inspect.cleandoc(error.__doc__ or "").splitlines()[0]
        retried = "yes" if error.worth_retrying else "no"
        yield (
            f"| `{error.__name__}` | {family} | {error.exit_code} | {error.http_status}"
            f" | {retried} | {_cell(meaning)} |"
        )
    yield ""
    code = errors.REFUSED_EXIT_CODE
    yield f"A refusal by policy is an answer, not an error; its exit code is {code}."


def _tree(error: type[errors.OpsmithError]) -> Iterator[type[errors.OpsmithError]]:
    yield error
    known = [value for value in vars(errors).values() if inspect.isclass(value)]
    for child in error.__subclasses__():
        if child in known:
            yield from _tree(child)


def _seams() -> Iterator[str]:
    source = ROOT / "src" / "opsmith"
    yield from ("# Seams", "", "Where opsmith meets a store, a server or a kernel.")
    yield "Each is a Protocol; what implements it is chosen by the settings."
    for path in sorted((source / "seams").glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield from ("", f"## {path.stem}", "", _paragraphs(ast.get_docstring(tree) or ""))
        protocols = [node for node in tree.body if _is_protocol(node)]
        folder = source / "backends" / path.stem
        backends = [one.stem for one in sorted(folder.glob("*.py")) if _keeps(one, protocols)]
        yield from ("", f"Backends: {', '.join(f'`{one}`' for one in backends) or 'none yet'}.")
        for node in protocols:
            yield from _protocol(node)


def _is_protocol(node: ast.stmt) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef) and any(
        "Protocol" in ast.unparse(base) for base in node.bases
    )


def _keeps(path: Path, protocols: list[ast.ClassDef]) -> bool:
    """Whether a module holds a class with every verb of one of the protocols."""
    classes = [
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    ]
    return any(_verbs(kept) <= _verbs(one) for kept in protocols for one in classes)


def _verbs(node: ast.ClassDef) -> set[str]:
    return {
        one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _protocol(node: ast.ClassDef) -> Iterator[str]:
    yield from ("", f"### {node.name}", "", _paragraphs(ast.get_docstring(node) or ""))
    for verb in node.body:
        if isinstance(verb, ast.FunctionDef | ast.AsyncFunctionDef):
            given = "" if verb.returns is None else f" -> {ast.unparse(verb.returns)}"
            yield from ("", f"- `{verb.name}({ast.unparse(verb.args)}){given}`:")
            yield f"  {_one_line(ast.get_docstring(verb) or '')}"


def _paragraphs(text: str) -> str:
    """A docstring as Markdown: one paragraph a line."""
    blocks = inspect.cleandoc(text).replace("\b", "").split("\n\n")
    return "\n\n".join(_one_line(block) for block in blocks).strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _one_line(text).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
