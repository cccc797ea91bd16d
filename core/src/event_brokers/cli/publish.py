"""`event-brokers publish`: files of events, one JSON object a line, to the broker."""

from __future__ import annotations

from collections.abc import Sequence

import click

from event_brokers import endpoints
from event_brokers.broker import EventBroker
from event_brokers.cli import exit_codes, json_lines
from event_brokers.cli.arguments import endpoints_option, takes_output
from event_brokers.cli.exit_codes import ExitCode
from event_brokers.cli.feed import Feed
from event_brokers.cli.open_spool import counts
from event_brokers.cli.outcome import Outcome
from event_brokers.cli.output import Output
from event_brokers.cli.patience import STEP_SECONDS, Patience
from event_brokers.cli.progress import Progress, progress
from event_brokers.cli.stop_signals import StopSignals
from event_brokers.errors import EventBrokersError


@click.command("publish")
@endpoints_option
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to go on while the broker takes not one event.",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@takes_output
def command(output: Output, endpoints_file: str, timeout: float, files: Sequence[str]) -> int:
    """Send the events of each FILE, one JSON object a line; - is standard input."""
    json_lines.refuse_unreadable(files)
    settings = endpoints.read(endpoints_file)
    output.secrets = settings.secrets()
    with StopSignals() as signals, progress(json_lines.total_bytes(files)) as bar:
        before = counts(settings)
        if before.pending:
            output.warn(f"{before.pending} events wait in the spool already, and go first")
        broker = EventBroker(settings)
        outcome = Outcome(broker, before)
        feed = Feed(broker, output, signals, bar, timeout)
        code = _feed(feed, files, output)
        try:
            _drain(broker, Patience(timeout, signals), bar)
        finally:
            outcome.settle()
    outcome.tell(output)
    output.document["bad_lines"] = feed.bad_lines
    if outcome.pending and settings.delivery.spool is not None:
        output.warn(f"what is pending stays in the spool '{settings.delivery.spool}'")
    if signals.received is not None:
        return 128 + signals.received
    return outcome.exit_code() or code


def _feed(feed: Feed, files: Sequence[str], output: Output) -> ExitCode:
    """Publish all there is; what was published before an error shall still be delivered."""
    try:
        feed.run(files)
    except EventBrokersError as error:
        output.fail(error, str(error))
        return exit_codes.exit_code(error)
    return ExitCode.EX_DATAERR if feed.bad_lines else ExitCode.EX_OK


def _drain(broker: EventBroker, patience: Patience, bar: Progress) -> None:
    """Wait until everything was delivered, or until waiting makes no sense."""
    status = broker.flush(STEP_SECONDS)
    while status.pending and not patience.is_over(status):
        bar.show(status)
        status = broker.flush(STEP_SECONDS)
