"""`event-brokers doctor`: all that can be looked at from outside, on one page, worst first."""

from __future__ import annotations

from collections.abc import Iterator

import click

from event_brokers import endpoints
from event_brokers.cli import diagnosis
from event_brokers.cli.arguments import answer_timeout_option, endpoints_option, takes_output
from event_brokers.cli.certificate_findings import of_certificates
from event_brokers.cli.exit_codes import ExitCode, exit_code
from event_brokers.cli.finding import Finding, Verdict
from event_brokers.cli.output import Output
from event_brokers.cli.permission_findings import of_permissions
from event_brokers.errors import ConfigurationError
from event_brokers.settings import Settings

_COLOURS = {Verdict.WRONG: "red", Verdict.WARNING: "yellow", Verdict.OK: "green"}


@click.command("doctor")
@endpoints_option
@answer_timeout_option
@takes_output
def command(output: Output, endpoints_file: str, timeout: float) -> ExitCode:
    """Look at broker, spool, disk, clock, versions, permissions and certificates; worst first.

    Publishes nothing and changes nothing. What is wrong decides how it ends, the worst first.
    """
    found = sorted(_findings(output, endpoints_file, timeout), key=lambda each: each.verdict)
    output.document["findings"] = [
        {
            "verdict": each.verdict.name.lower(),
            "subject": each.subject,
            "text": output.masked(each.text),
        }
        for each in found
    ]
    for each in found:
        verdict = each.verdict.name.lower()
        line = f"{verdict:<8}{each.subject:<13}{each.text}"
        output.say(line, fg=_COLOURS[each.verdict])
    return found[0].code


def _findings(output: Output, endpoints_file: str, timeout: float) -> Iterator[Finding]:
    try:
        settings = endpoints.read(endpoints_file)
    except ConfigurationError as error:
        yield Finding(Verdict.WRONG, "file", str(error), exit_code(error))
        yield from _of_machine(None)
        return
    output.secrets = settings.secrets()
    text = f"{endpoints_file}: valid, type '{settings.plugin.type}'"
    yield Finding(Verdict.OK, "file", text)
    yield from diagnosis.of_broker(settings, timeout)
    yield from diagnosis.of_spool(settings)
    yield from of_certificates(settings)
    yield from of_permissions(settings, endpoints_file)
    yield from _of_machine(settings)


def _of_machine(settings: Settings | None) -> Iterator[Finding]:
    yield from diagnosis.of_clock()
    yield from diagnosis.of_versions(settings)
