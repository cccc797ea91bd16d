"""`event-brokers tail`: shows events as they arrive at the broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import click

from event_brokers import endpoints
from event_brokers.cli.arguments import debug_option, endpoints_option, pass_output
from event_brokers.cli.output import Output, styled
from event_brokers.cli.stop_signals import Stopped, StopSignals
from event_brokers.consumer import DEFAULT_GROUP, Consumer
from event_brokers.event import ReceivedEvent

_COLOURS = {"user": "green", "bot": "cyan", "action": "yellow", "slot": "magenta"}
_SHOWN_APART = ("event", "sender_id", "timestamp")


@click.command("tail")
@endpoints_option
@click.option(
    "--from-start", is_flag=True, help="Begin with the oldest event there is, not with new ones."
)
@click.option("--sender", metavar="ID", help="Show this conversation alone.")
@click.option("--type", "types", metavar="TYPES", help="Show these types alone: user,bot")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object a line.")
@click.option(
    "--take",
    is_flag=True,
    help="Take the events away from a RabbitMQ queue, where they cannot be seen otherwise.",
)
@debug_option
@pass_output
def command(  # noqa: PLR0913, PLR0917 - an argument for each option
    output: Output,
    endpoints_file: str,
    from_start: bool,
    sender: str | None,
    types: str | None,
    as_json: bool,
    take: bool,
) -> int:
    """Show events as they arrive at the broker; Ctrl-C ends it."""
    settings = endpoints.read(endpoints_file)
    output.secrets = settings.secrets()
    wanted = _filter(sender, types)
    line = _as_json if as_json else _as_text
    group = DEFAULT_GROUP if take else None
    with StopSignals() as signals, Consumer(settings, group, from_start) as consumer:
        try:
            with signals.interruptible(consumer.close):
                for received in consumer:
                    if wanted(received):
                        click.echo(line(received))
        except Stopped:
            pass
        return 128 + (signals.received or 0)


def _filter(sender: str | None, types: str | None) -> Callable[[ReceivedEvent], bool]:
    """Return what says whether an event is to be shown; one that is none is, without a filter."""
    of_types = {name.strip() for name in types.split(",")} if types else None

    def wanted(received: ReceivedEvent) -> bool:
        event = received.event or {}
        return (sender is None or str(event.get("sender_id")) == sender) and (
            of_types is None or event.get("event") in of_types
        )

    return wanted


def _as_json(received: ReceivedEvent) -> str:
    shown: dict[str, Any] = {
        "id": received.id,
        "origin": received.origin,
        "headers": received.headers,
        "event": received.event,
    }
    if received.problem is not None:
        shown |= {"problem": received.problem, "body": received.body.decode(errors="replace")}
    return json.dumps(shown)


def _as_text(received: ReceivedEvent) -> str:
    event = received.event
    if event is None:
        body = received.body.decode(errors="backslashreplace")
        return styled(f"{received.origin}: {received.problem}: {body}", fg="red")
    kind = str(event.get("event", "-"))
    head = styled(f"{_clock(event.get('timestamp'))}  {event.get('sender_id', '-')}  ", dim=True)
    return f"{head}{styled(f'{kind:<8}', fg=_COLOURS.get(kind, 'blue'))}  {styled(_gist(event))}"


def _gist(event: dict[str, Any]) -> str:
    """Return what an event is about, in one line."""
    match event:
        case {"event": "user" | "bot" | "agent", "text": str(text)}:
            return text
        case {"event": "slot", "name": name, "value": value}:
            return f"{name} = {json.dumps(value, ensure_ascii=False)}"
        case {"event": "action" | "followup" | "active_loop", "name": name}:
            return str(name)
    rest = {name: value for name, value in event.items() if name not in _SHOWN_APART}
    return json.dumps(rest, ensure_ascii=False) if rest else ""


def _clock(timestamp: object) -> str:
    if isinstance(timestamp, bool) or not isinstance(timestamp, (int, float)):
        return "--:--:--"
    try:
        return time.strftime("%H:%M:%S", time.localtime(timestamp))
    except (OverflowError, ValueError, OSError):
        return "--:--:--"
