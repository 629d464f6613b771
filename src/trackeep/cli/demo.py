"""`trackeep demo`: everything at once, on this computer, with invented data."""

from __future__ import annotations

import os
import signal
import sys
import threading

import click

INTERRUPTED = 130


@click.command()
@click.option("--port", default=8080, show_default=True, help="Where the instance listens; 0 chooses.")
@click.option("--broker-port", default=9090, show_default=True, help="Where the broker listens.")
@click.option("--sandbox-port", default=9100, show_default=True, help="Where the local GitHub listens.")
@click.option("--size", type=click.Choice(["small", "full"]), default="full", show_default=True)
def demo(port: int, broker_port: int, sandbox_port: int, size: str) -> None:
    """Start a local GitHub, the broker and an instance, with invented data, nothing to configure."""
    from trackeep import demo as programs

    def say(running: programs.Running) -> None:
        click.echo(f"Trackeep demo ready at {running.instance}")
        click.echo(f"  local GitHub   {running.sandbox}   (sign in as alice)", err=True)
        click.echo(f"  OAuth service  {running.broker}", err=True)
        click.echo(f"  To be somebody else, sign out at {running.sandbox}/logout.", err=True)
        click.echo("  Ctrl-C ends all three and throws the data away.", err=True)
        sys.stdout.flush()

    asked: list[int] = []
    stopped = threading.Event()

    def stop(number: int, _frame: object) -> None:
        asked.append(number)
        stopped.set()

    # Only noted: an exception out of a handler could leave a program or the folder behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    # `nohup` has it ignored, and means that.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, stop)
    click.echo("Starting a local GitHub, the broker and an instance ...", err=True)
    programs.run(os.environ, programs.Ports(sandbox_port, broker_port, port), size, say, stopped)
    click.echo("Stopped; the invented data is deleted.", err=True)
    sys.exit(INTERRUPTED if asked[0] == signal.SIGINT else 0)
