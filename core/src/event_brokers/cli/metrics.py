"""`event-brokers metrics`: what a spool counts, for Prometheus; printed once, or served."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from event_brokers import endpoints
from event_brokers.cli.arguments import endpoints_option, takes_output
from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.output import Output
from event_brokers.cli.stop_signals import Stopped, StopSignals
from event_brokers.settings import Settings
from event_brokers.wording import system_reason

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_LOOPBACK = "127.0.0.1"
_PORT = 9464  # where exporters of OpenTelemetry for Prometheus listen


@click.command("metrics")
@endpoints_option
@click.option("--serve", is_flag=True, help="Serve them on this machine alone, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True,
              metavar="PORT", help="Where to serve them; 0 takes a free one.")  # fmt: skip
@takes_output
def command(output: Output, endpoints_file: str, serve: bool, port: int) -> int:
    """Print what the spool counts, whoever delivers it, as Prometheus reads it."""
    settings = endpoints.read(endpoints_file)
    output.secrets = settings.secrets()
    registry = _registry(settings)
    if serve:
        return _serve(output, registry, port)
    from prometheus_client import generate_latest  # noqa: PLC0415 - it may be missing

    output.document["metrics"] = list(_samples(registry))
    output.secrets = []  # there are none, and a password of digits would be found in a number
    for line in generate_latest(registry).decode().splitlines():
        output.say(line)
    return ExitCode.EX_OK


def _registry(settings: Settings) -> CollectorRegistry:
    if find_spec("prometheus_client") is None:
        raise CommandFailed(
            'metrics need prometheus_client; pip install "event-brokers[prometheus]"',
            ExitCode.EX_UNAVAILABLE,
        )
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - as above

    from event_brokers.metrics import EventBrokersCollector  # noqa: PLC0415 - as above

    registry = CollectorRegistry()
    registry.register(EventBrokersCollector([settings]))
    return registry


def _samples(registry: CollectorRegistry) -> Iterator[dict[str, Any]]:
    for family in registry.collect():
        for sample in family.samples:
            yield {"name": sample.name, "labels": sample.labels, "value": sample.value}


def _serve(output: Output, registry: CollectorRegistry, port: int) -> int:
    from prometheus_client import start_http_server  # noqa: PLC0415 - as above

    with StopSignals() as signals:
        try:
            server, _thread = start_http_server(port, _LOOPBACK, registry)
        except OSError as error:
            text = f"--port: {_LOOPBACK}:{port}: {system_reason(error)}"
            raise CommandFailed(text, ExitCode.EX_UNAVAILABLE) from error
        announce = output.warn if output.as_json else output.say
        announce(f"metrics at http://{_LOOPBACK}:{server.server_port}/metrics")
        try:
            with signals.interruptible():
                threading.Event().wait()
        except Stopped:
            pass
        finally:
            server.shutdown()
            server.server_close()
        return 128 + (signals.received or 0)
