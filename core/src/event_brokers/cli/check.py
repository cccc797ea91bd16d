"""`event-brokers check`: would events arrive? Publishes nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import click

from event_brokers import endpoints
from event_brokers.cli.arguments import answer_timeout_option, endpoints_option, takes_output
from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.open_spool import counts
from event_brokers.cli.output import Output
from event_brokers.errors import ConfigurationError, EventBrokersError
from event_brokers.settings import Settings
from event_brokers.wording import first_line, name_and_first_line


@click.command("check")
@endpoints_option
@answer_timeout_option
@takes_output
def command(output: Output, endpoints_file: str, timeout: float) -> ExitCode:
    """Read the file, connect to the broker, and say in words what works or what is wrong."""
    settings = endpoints.read(endpoints_file)
    output.secrets = settings.secrets()
    name, _, version = settings.plugin.distribution.rpartition(" ")
    output.say(f"{endpoints_file}: valid, type '{settings.plugin.type}' served by {name} {version}")
    output.document |= {
        "endpoints": endpoints_file,
        "type": settings.plugin.type,
        "distribution": name,
        "version": version,
    }
    if waiting := counts(settings).pending:
        output.say(f"spool '{settings.delivery.spool}': {waiting} events wait, and go there first")
        output.document["pending"] = waiting
    found = [output.masked(sentence) for sentence in ask(settings, timeout)]
    for sentence in found:
        output.say(sentence)
    output.document["found"] = found
    return ExitCode.EX_OK


def ask(settings: Settings, timeout: float) -> Sequence[str]:
    """Return what the plugin finds, in sentences.

    Parameters:
        settings: of the broker.
        timeout: seconds that it may take to answer.

    Raises:
        ConfigurationError: a person must change something.
        CommandFailed: it does not answer, or whatever else the plugin raises.
    """
    attempt = _Attempt(settings)
    attempt.start()
    attempt.join(timeout)
    if attempt.is_alive():
        raise CommandFailed(f"no answer within {timeout:g} s", ExitCode.EX_UNAVAILABLE)
    error = attempt.error
    if error is None:
        return attempt.found
    if isinstance(error, ConfigurationError):
        raise error
    raise CommandFailed(_sentence(error), ExitCode.EX_UNAVAILABLE) from error


class _Attempt(threading.Thread):
    """Asks the plugin on a thread that may hang without holding up the end of the program."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="event-brokers-check", daemon=True)
        self._settings = settings
        self.found: Sequence[str] = ()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.found = _ask(self._settings)
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits
            self.error = error


def _ask(settings: Settings) -> Sequence[str]:
    plugin = settings.plugin
    if plugin.has("check"):
        sentences: Sequence[str] = plugin.hook.check(options=settings.options)
        return sentences
    connection = plugin.hook.connect(options=settings.options, used=set())
    if connection is None:
        raise plugin.error("hook 'connect' returned None, not a connection")
    plugin.hook.close(connection=connection)
    return ["connected, and closed the connection"]


def _sentence(error: BaseException) -> str:
    if isinstance(error, EventBrokersError):
        return first_line(error)
    return name_and_first_line(error)
