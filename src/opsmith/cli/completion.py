"""`opsmith completion`: the script that teaches a shell to complete the command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from opsmith.errors import NotFound

HOW = {
    "bash": "opsmith completion bash > ~/.local/share/bash-completion/completions/opsmith",
    "zsh": "opsmith completion zsh > ~/.zfunc/_opsmith   (with ~/.zfunc in fpath)",
    "fish": "opsmith completion fish > ~/.config/fish/completions/opsmith.fish",
}


@click.command(epilog="To install it for good:\n\n" + "\n\n".join(HOW.values()))
@click.argument("shell", type=click.Choice(sorted(HOW)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL; try it with `source <(opsmith completion bash)`."""
    found = get_completion_class(shell)
    if found is None:
        raise NotFound(f"There is no completion for {shell}.")
    root = ctx.find_root().command
    click.echo(found(root, {}, "opsmith", "_OPSMITH_COMPLETE").source())
