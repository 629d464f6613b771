"""`trackeep completion`: the lines that let a shell complete our commands."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    bash: eval "$(trackeep completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc; fish: trackeep
    completion fish > ~/.config/fish/completions/trackeep.fish
    """
    from click.shell_completion import get_completion_class

    maker = get_completion_class(shell)
    assert maker is not None
    click.echo(maker(context.find_root().command, {}, "trackeep", "_TRACKEEP_COMPLETE").source())
