"""`trackeep sandbox serve`: a small GitHub on this machine, with invented people and real git."""

import signal
import sys
from pathlib import Path

import click

from trackeep.errors import TrackeepError


@click.group()
def sandbox() -> None:
    """Run a small local GitHub."""


@sandbox.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; keep it on loopback.")
@click.option("--port", default=9100, show_default=True, help="0 lets the system choose.")
@click.option("--seed", default=1, show_default=True, help="The same seed and end give the same world.")
@click.option("--size", type=click.Choice(["small", "full", "large"]), default="small", show_default=True)
@click.option(
    "--repositories", type=click.IntRange(1, 1000), help="That many generated repositories instead of a size."
)
@click.option(
    "--commits", type=click.IntRange(0), help="In all generated ones together. [default: 10 in each]"
)
@click.option("--now", type=int, help="Where the invented past ends, in unix seconds. [default: this moment]")
@click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep the repositories here."
)
@click.option("--quiet", is_flag=True, help="Print the address only, not what to sign in with.")
def serve(  # as many parameters as there are options
    host: str,
    port: int,
    seed: int,
    size: str,
    repositories: int | None,
    commits: int | None,
    now: int | None,
    data_dir: Path | None,
    quiet: bool,
) -> None:
    """Serve sign-in, REST, GraphQL and git until stopped."""
    from trackeep.sandbox.app import CannotListen, Options, run
    from trackeep.sandbox.masses import LARGE, Masses

    masses = None
    if repositories is not None or commits is not None:
        count = repositories or LARGE.repositories
        masses = Masses(count, 10 * count if commits is None else commits)

    # Left to itself SIGTERM would skip the deletion of the temporary folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        run(Options(host, port, seed, size, data_dir, now, quiet, masses))
    except CannotListen as error:
        raise TrackeepError(str(error), "Choose another port, or end what uses it.") from error
