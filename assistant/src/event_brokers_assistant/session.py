"""The assistant that a command line asks for: opened, introduced, and ended with its counts."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.output import Output
from event_brokers_assistant import assembly
from event_brokers_assistant.assembly import Assistant, EndpointSettings
from event_brokers_assistant.errors import ModelError, TrackerStoreError
from event_brokers_assistant.model import load_model


def open_assistant(output: Output, endpoints_file: str, model: str | None) -> Assistant:
    """Return the assistant that a command line asks for.

    Parameters:
        output: its secrets become those of the file.
        endpoints_file: as given, or the default, which may be missing.
        model: as given; None for the echo bot.

    Raises:
        ConfigurationError: the file cannot be used.
        CommandFailed: the model cannot be loaded, or the database cannot be reached.
    """
    settings = _settings(endpoints_file)
    output.secrets = settings.secrets()
    try:
        return assembly.assemble(settings, load_model(model) if model else None)
    except ModelError as error:
        raise CommandFailed(str(error), ExitCode.EX_NOINPUT) from error
    except TrackerStoreError as error:
        raise CommandFailed(str(error), ExitCode.EX_UNAVAILABLE) from error


def introduce(output: Output, assistant: Assistant) -> None:
    """Say what would surprise whoever does not know it.

    Parameters:
        output: gets a line each.
        assistant: has just been opened.
    """
    if assistant.broker is None:
        output.warn("no event_broker in endpoints.yml: nothing is streamed")


def end(output: Output, assistant: Assistant, timeout: float) -> int:
    """Deliver what waits, say what became of it, and return the code to end with.

    Parameters:
        output: gets the counts.
        assistant: is closed.
        timeout: seconds to wait for delivery.
    """
    assistant.close(timeout)
    if assistant.outcome is None:
        return ExitCode.EX_OK
    assistant.outcome.tell(output)
    if assistant.outcome.pending and assistant.spool is not None:
        output.warn(f"what is pending stays in the spool '{assistant.spool}'")
        return ExitCode.EX_OK
    return assistant.outcome.exit_code()


def _settings(endpoints_file: str) -> EndpointSettings:
    source = click.get_current_context().get_parameter_source("endpoints_file")
    if source is ParameterSource.DEFAULT and not Path(endpoints_file).exists():
        return EndpointSettings()
    return assembly.read(endpoints_file)
