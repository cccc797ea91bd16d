"""`event-brokers spool`: what waits on disk, and what to do with dead letters."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from event_brokers import endpoints
from event_brokers.cli.arguments import endpoints_option, takes_output
from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.open_spool import open_spool
from event_brokers.cli.output import Output
from event_brokers.event import Event
from event_brokers.look import NOBODY, status_of
from event_brokers.queues.protocol import DeadLetter
from event_brokers.settings import Settings
from event_brokers.status import Status
from event_brokers.wording import printable_json, system_reason

if TYPE_CHECKING:
    from event_brokers.queues.spool import Spool

STANDARD_OUTPUT = "-"
# what says nothing of a spool from which no process delivers
_OF_DELIVERY = ("state", "state_seconds", "next_attempt_seconds", "next_step")


@click.group("spool")
def command() -> None:
    """Look into the spool that endpoints.yml names, also while another process delivers."""


@command.command("status")
@endpoints_option
@takes_output
def status(output: Output, endpoints_file: str) -> ExitCode:
    """Say how many events wait, since when, and how delivery goes."""
    settings = _settings(output, endpoints_file)
    with open_spool(settings) as spool:
        condition = spool.right.condition() or NOBODY
        found = status_of(spool.counts(), condition, condition.last_error)
        size, is_attended = spool.size(), spool.has_deliverer()
    output.document |= msgspec.structs.asdict(found) | {"bytes": size}
    if not is_attended:
        output.document |= dict.fromkeys(_OF_DELIVERY)
    for line in _told(found, size):
        output.say(line)
    for line in _told_of_delivery(found, is_attended):
        output.say(line)
    return ExitCode.EX_OK


@command.command("list")
@endpoints_option
@click.option("--pending", is_flag=True, help="List the events that wait, in order.")
@takes_output
def list_events(output: Output, endpoints_file: str, pending: bool) -> ExitCode:
    """List the dead letters, oldest first, without their bodies."""
    with _opened(output, endpoints_file) as spool, spool.contents() as (events, letters):
        described = map(_described, events if pending else letters)
        if output.as_json:
            output.document["events" if pending else "dead_letters"] = list(described)
            return ExitCode.EX_OK
        for each in described:
            output.say(_line(each))
    return ExitCode.EX_OK


@command.command("show")
@endpoints_option
@click.argument("event_id", metavar="ID")
@takes_output
def show(output: Output, endpoints_file: str, event_id: str) -> ExitCode:
    """Show one event with its body."""
    with _opened(output, endpoints_file) as spool:
        found = spool.find(event_id)
    if found is None:
        raise CommandFailed(f"no event '{event_id}' in the spool", ExitCode.EX_DATAERR)
    described = _described(found)
    body = json.loads((found.event if isinstance(found, DeadLetter) else found).body)
    output.document |= {**described, "body": body}
    output.say(_line(described))
    output.say_json(json.dumps(body, indent=2, ensure_ascii=False))
    return ExitCode.EX_OK


@command.command("retry")
@endpoints_option
@click.option("--all", "every", is_flag=True, help="Retry every dead letter.")
@click.argument("ids", nargs=-1, metavar="[ID...]")
@takes_output
def retry(output: Output, endpoints_file: str, every: bool, ids: Sequence[str]) -> ExitCode:
    """Put dead letters back, behind the events that wait."""
    if bool(ids) == every:
        raise click.UsageError("give IDs, or --all")
    with _opened(output, endpoints_file) as spool:
        unknown = [id_ for id_ in ids if not isinstance(spool.find(id_), DeadLetter)]
        retried = spool.retry(_dead_letter_ids(spool) if every else ids)
        if retried and not spool.has_deliverer():
            output.warn("no process delivers now; the next one that uses this spool will")
    output.document["retried"] = retried
    output.say(f"{retried} dead letters wait again")
    return _told_unknown(output, "dead letter", unknown)


@command.command("drop")
@endpoints_option
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@takes_output
def drop(output: Output, endpoints_file: str, ids: Sequence[str]) -> ExitCode:
    """Forget dead letters, or events that wait, for good."""
    with _opened(output, endpoints_file) as spool:
        unknown = [id_ for id_ in ids if spool.find(id_) is None]
        dropped = spool.drop(ids)
    output.document["dropped"] = dropped
    output.say(f"{dropped} events dropped")
    return _told_unknown(output, "event", unknown)


@command.command("export")
@endpoints_option
@click.argument("file", metavar="FILE")
@takes_output
def export(output: Output, endpoints_file: str, file: str) -> ExitCode:
    """Write the bodies of all events into a new FILE, one a line, dead letters last.

    The spool keeps them. - is standard output. `event-brokers publish` reads such a file.
    """
    if file == STANDARD_OUTPUT and output.as_json:
        raise click.UsageError("standard output takes the events or the JSON document, not both")
    count = 0
    with (
        _opened(output, endpoints_file) as spool,
        spool.contents() as (events, letters),
        _new_file(file) as written,
    ):
        for event in chain(events, (letter.event for letter in letters)):
            written.write(_for_terminal(event.body) if written.isatty() else event.body)
            written.write(b"\n")
            count += 1
    output.document["exported"] = count
    if file != STANDARD_OUTPUT:
        output.say(f"{count} events exported")
    return ExitCode.EX_OK


@command.command("forget-places")
@endpoints_option
@takes_output
def forget_places(output: Output, endpoints_file: str) -> ExitCode:
    """Forget which queues this spool has delivered to, so that a missing one is made anew."""
    with _opened(output, endpoints_file) as spool:
        forgotten = sorted(spool.used_places())
        spool.forget_places()
    output.document["forgotten"] = forgotten
    names = f": {', '.join(forgotten)}" if forgotten else ""
    output.say(f"{len(forgotten)} places forgotten{names}")
    return ExitCode.EX_OK


def _settings(output: Output, endpoints_file: str) -> Settings:
    settings = endpoints.read(endpoints_file)
    output.secrets = settings.secrets()
    output.document["spool"] = settings.delivery.spool
    return settings


@contextmanager
def _opened(output: Output, endpoints_file: str) -> Iterator[Spool]:
    with open_spool(_settings(output, endpoints_file)) as spool:
        yield spool


def _told(status: Status, size: int) -> Iterator[str]:
    """Return what a person wants to know first, in lines."""
    age = status.oldest_pending_seconds
    yield f"{status.delivered} delivered"
    yield f"{status.pending} pending" + ("" if age is None else f", the oldest for {age:.1f} s")
    yield f"{status.dead_letters} dead letters"
    yield f"{size / 1024**2:.1f} MiB on disk"


def _told_of_delivery(status: Status, is_attended: bool) -> Iterator[str]:
    confirm = status.last_confirm_seconds
    if is_attended:
        since = "" if status.state_seconds is None else f" for {status.state_seconds:.1f} s"
        yield f"delivery: {status.state}{since}; it {status.next_step}"
    else:
        yield "delivery: no process delivers now"
    if status.last_error is not None:
        yield f"last error: {status.last_error}"
    if confirm is not None:
        lately = f"{status.delivered_last_minute} events in the last minute"
        yield f"last confirm: {confirm:.1f} s ago, {lately}"


@contextmanager
def _new_file(file: str) -> Iterator[BinaryIO]:
    if file == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        return
    try:
        # for its owner alone: events are conversations
        with open(file, "xb", opener=partial(os.open, mode=0o600)) as opened:
            yield opened
    except OSError as error:
        reason = system_reason(error, "cannot be written")
        raise CommandFailed(f"{file}: {reason}", ExitCode.EX_IOERR) from error


def _for_terminal(body: bytes) -> bytes:
    """Return the same JSON, of which nothing plays with a terminal."""
    return printable_json(body.decode()).encode()


def _dead_letter_ids(spool: Spool) -> list[str]:
    with spool.contents() as (_, letters):
        return [letter.event.id for letter in letters]


def _told_unknown(output: Output, what: str, ids: Sequence[str]) -> ExitCode:
    for event_id in ids:
        output.warn(f"no {what} '{event_id}' in the spool")
    output.document["unknown"] = list(ids)
    return ExitCode.EX_DATAERR if ids else ExitCode.EX_OK


def _described(found: Event | DeadLetter) -> dict[str, Any]:
    """Return all of an event but its body."""
    event = found.event if isinstance(found, DeadLetter) else found
    described = {
        "id": event.id,
        "type": event.type,
        "sender_id": event.sender_id,
        "timestamp": event.timestamp,
        "bytes": len(event.body),
    }
    if isinstance(found, DeadLetter):
        described |= {"time": found.time, "attempts": found.attempts, "reason": found.reason}
    return described


def _line(described: Mapping[str, Any]) -> str:
    parts = [described["id"], described["type"] or "-", described["sender_id"] or "-"]
    if "reason" in described:
        buried = datetime.fromtimestamp(described["time"], timezone.utc)
        parts += [f"{buried:%Y-%m-%d %H:%M:%SZ}", described["reason"]]
    return "  ".join(parts)
