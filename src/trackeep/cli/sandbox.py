"""`trackeep sandbox serve`: a small GitHub on this machine, with invented people and real git."""

from pathlib import Path

import click


@click.group()
def sandbox() -> None:
    """Run a small local GitHub."""


@sandbox.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; keep it on loopback.")
@click.option("--port", default=9100, show_default=True, help="0 lets the system choose.")
@click.option("--seed", default=1, show_default=True, help="The same seed and end give the same world.")
@click.option("--size", type=click.Choice(["small", "full"]), default="small", show_default=True)
@click.option("--now", type=int, help="Where the invented past ends, in unix seconds. [default: this moment]")
@click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep the repositories here."
)
def serve(host: str, port: int, seed: int, size: str, now: int | None, data_dir: Path | None) -> None:
    """Serve sign-in, REST, GraphQL and git until stopped."""
    from trackeep.sandbox.app import Options, run

    run(Options(host, port, seed, size, data_dir, now))
