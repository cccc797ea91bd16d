"""Every code block of the documents: YAML is read by the core, Python is executed.

RabbitMQ, Kafka and PostgreSQL are stood in for by a plugin that has the real one's options and
confirms everything; SQLite is real. A YAML block is the `endpoints.yml` of the Python that follows.
A `text` block is the error that the YAML before it must give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from event_brokers import ConfigurationError, Event, ReceivedEvent, endpoints, hookimpl, plugins
from event_brokers.plugins import Plugin
from event_brokers.registrations import Registration, registrations
from wheels import EXAMPLES, ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "README.md",
        "assistant/README.md",
        "core/README.md",
        "monitor/README.md",
        "plugins/*/README.md",
        "integrations/*/README.md",
        "examples/*/README.md",
        "docs/*.md",
    )
    for path in ROOT.glob(pattern)
    if "```python" in path.read_text(encoding="utf-8") or "```yaml" in path.read_text("utf-8")
)
VARIABLES = (
    "DB_PASSWORD", "HTTP_TOKEN", "KAFKA_PASSWORD", "NATS_PASSWORD", "RABBITMQ_PASSWORD",
    "REDIS_PASSWORD",
)  # fmt: skip
SECRET_FILES = (
    "secrets/kafka-password",
    "secrets/rabbitmq-password",
    "secrets/db-password",
    "secrets/webhook-secret",
)
_real_load = plugins.load


class ConfirmsAll:
    """The hooks of a real plugin, without the broker."""

    def __init__(self, real: Plugin) -> None:
        self._real = real

    @hookimpl
    def options(self) -> Any:
        """Return the real options class."""
        return self._real.options_class

    @hookimpl
    def connect(self, options: Any) -> Any:
        """Return something that stands for a connection; a real one for SQLite."""
        if self._is_sqlite(options):
            return self._real.hook.connect(options=options, used=set())
        return self

    @hookimpl
    def publish(self, connection: Any, events: Sequence[Event]) -> None:
        """Confirm every event."""
        if connection is not self:
            self._real.hook.publish(connection=connection, events=events)

    @hookimpl
    def close(self, connection: Any) -> None:
        """Close the real connection, if it is one."""
        if connection is not self:
            self._real.hook.close(connection=connection)

    @hookimpl
    def consume(
        self, options: Any, group: str | None, from_start: bool
    ) -> Iterator[ReceivedEvent | None]:
        """Read from where the events really are, which is SQLite."""
        found: Iterator[ReceivedEvent | None] = self._real.hook.consume(
            options=options, group=group, from_start=from_start, used=set()
        )
        return found

    def _is_sqlite(self, options: Any) -> bool:
        return self._real.type == "sql" and options.dialect == "sqlite"


def load(type_name: str) -> Plugin:
    """Do as `plugins.load`, with a stand-in for the broker."""
    real = _real_load(type_name)
    return Plugin(real.type, real.distribution, ConfirmsAll(real))


def registrations_of_readers(group: str, name: str | None = None) -> list[Registration]:
    """Return what a reader has installed: the plugins of this repository, and no example."""
    return [each for each in registrations(group, name) if each.distribution not in EXAMPLES]


def read_yaml(example: Example) -> None:
    """Make the block the current endpoints.yml, and note the error that it gives."""
    refuse_unexpected(example.namespace)
    text = str(example.parsed)
    Path("endpoints.yml").write_text(text, encoding="utf-8")
    if "type: lines" in text:
        return  # the documentation's own plugin has tests of its own
    try:
        endpoints.read("endpoints.yml")
    except ConfigurationError as error:
        example.namespace["refused"] = str(error)


def compare_error(example: Example) -> None:
    """Hold the sentence against the error that the YAML before it gave."""
    assert example.namespace.pop("refused", None) == str(example.parsed).strip()


def refuse_unexpected(namespace: dict[str, Any]) -> None:
    """Fail where YAML gave an error that no `text` block announces."""
    assert namespace.get("refused") is None


def parsed(path: str) -> Document:
    """Return the document's code blocks."""
    parsers: list[Callable[[Document], Iterable[Region]]] = [
        PythonCodeBlockParser(),
        CodeBlockParser(language="yaml", evaluator=read_yaml),
        CodeBlockParser(language="text", evaluator=compare_error),
    ]
    return Sybil(parsers, path=str(ROOT)).parse(ROOT / path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the files and variables that the documents speak of."""
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.setenv(name, "made-up")
    for name in SECRET_FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("made-up\n", encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("path", DOCUMENTS)
def test_every_code_block_works(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """YAML is valid or gives the sentence that follows it; Python runs."""
    monkeypatch.setattr(plugins, "load", load)
    if not path.startswith("examples/"):
        monkeypatch.setattr(plugins, "registrations", registrations_of_readers)
    document = parsed(path)
    for example in document.examples():
        example.evaluate()
    refuse_unexpected(document.namespace)
