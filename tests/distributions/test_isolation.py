"""The core alone and each plugin alone in an environment: what is there works, the rest is named.

Each environment is installed by pip from this repository's wheels; their dependencies come from
wherever pip is set to look.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from environments import Environment
from event_brokers.plugins import DISTRIBUTIONS
from servers.ports import free_port
from wheels import FOLDERS, PLUGINS, VERSION, Wheel, read_project

pytestmark = [pytest.mark.xdist_group("wheels"), pytest.mark.timeout(600)]


def _client(plugin: str) -> str | None:
    """Return the module of the one client that a plugin needs beside the core, if it needs one."""
    needed = {Requirement(text).name for text in read_project(FOLDERS[plugin])["dependencies"]}
    modules = packages_distributions().items()
    clients = [module for module, names in modules if {*names} & needed - {"event-brokers"}]
    return clients[0] if clients else None


CLIENTS = {plugin: client for plugin in PLUGINS if (client := _client(plugin))}


@pytest.fixture(scope="module")
def core_alone(wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The core without extras."""
    folder = tmp_path_factory.mktemp("core") / "environment"
    return Environment.made(folder, str(wheels["event-brokers"].path))


@pytest.fixture(scope="module", params=PLUGINS)
def plugin_alone(
    request: pytest.FixtureRequest,
    wheels: dict[str, Wheel],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Environment]:
    """A plugin's distribution, and the environment that holds it and the command line."""
    core, plugin = wheels["event-brokers"].path, wheels[request.param].path
    folder = tmp_path_factory.mktemp(request.param) / "environment"
    return request.param, Environment.made(folder, f"{core}[cli]", str(plugin))


@pytest.fixture(scope="module")
def assistant_alone(
    wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """The assistant without any broker's plugin."""
    core, assistant = (wheels[name].path for name in ("event-brokers", "event-brokers-assistant"))
    folder = tmp_path_factory.mktemp("assistant") / "environment"
    return Environment.made(folder, f"{core}[cli]", str(assistant))


def test_the_integration_needs_no_client_of_a_broker(
    wheels: dict[str, Wheel], tmp_path: Path
) -> None:
    """With the plugin for files it hands a span over, and brings along nothing but the SDK."""
    names = ("event-brokers", "event-brokers-file", "event-brokers-opentelemetry")
    environment = Environment.made(tmp_path / "env", *(str(wheels[name].path) for name in names))
    assert not any(environment.has(client) for client in CLIENTS.values())
    section = {"type": "file", "path": str(tmp_path / "log")}
    program = (
        "import event_brokers\n"
        "from event_brokers_opentelemetry import EventSpanProcessor\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "provider = TracerProvider()\n"
        f"section = {section!r}\n"
        "with event_brokers.connect(section) as broker:\n"
        "    provider.add_span_processor(EventSpanProcessor(broker))\n"
        "    provider.get_tracer('agent').start_span('work').end()\n"
    )
    run = environment.run("python", "-c", program)
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads((tmp_path / "log").read_text(encoding="utf-8"))["event"] == "work"


def test_the_assistant_alone_talks_and_says_what_is_missing(assistant_alone: Environment) -> None:
    """Its commands are there, and no broker's client; a type whose plugin is missing is named."""
    assert not any(assistant_alone.has(client) for client in CLIENTS.values())
    run = assistant_alone.run("event-brokers", "shell")
    assert (run.returncode, run.stderr) == (
        0, "no event_broker in endpoints.yml: nothing is streamed\n",
    )  # fmt: skip
    endpoints = assistant_alone.write_endpoints(type="kafka", url="localhost")
    run = assistant_alone.run("event-brokers", "run", "--endpoints", endpoints, "--port", "0")
    assert run.returncode == os.EX_CONFIG
    assert "'kafka' is not installed; pip install event-brokers-kafka" in run.stderr


def test_the_assistant_alone_says_what_a_database_needs(assistant_alone: Environment) -> None:
    """With the line of the mistake, and before anything listens."""
    text = json.dumps({"tracker_store": {"type": "SQL", "db": "tracker.db"}})
    (assistant_alone.folder / "stores.yml").write_text(text, encoding="utf-8")
    run = assistant_alone.run("event-brokers", "run", "--endpoints", "stores.yml", "--port", "0")
    assert run.returncode == os.EX_CONFIG
    assert run.stderr == (
        "Error: stores.yml:1: tracker_store.type: needs event-brokers-sql; "
        'pip install "event-brokers-assistant[sql]"\n'
    )


def test_the_assistant_alone_says_what_metrics_need(assistant_alone: Environment) -> None:
    """One sentence with the pip command."""
    program = (
        "from event_brokers import cli, endpoints\n"
        "from event_brokers.testing import MemoryBroker\n"
        "endpoints.read = lambda file: MemoryBroker().settings(spool='spool')\n"
        "cli.main(['metrics'])\n"
    )
    run = assistant_alone.run("python", "-c", program)
    assert (run.returncode, run.stderr) == (
        os.EX_UNAVAILABLE,
        'Error: metrics need prometheus_client; pip install "event-brokers[prometheus]"\n',
    )


def test_the_live_page_alone_shows_a_spool(wheels: dict[str, Wheel], tmp_path: Path) -> None:
    """With the core and nothing else of ours: its files are there, and no broker's client."""
    core, monitor = (wheels[name].path for name in ("event-brokers", "event-brokers-monitor"))
    environment = Environment.made(tmp_path / "environment", f"{core}[cli]", str(monitor))
    assert not any(environment.has(client) for client in CLIENTS.values())
    program = (
        "from event_brokers_monitor import application\n"
        "page = application()\n"
        "print(sorted(route.path for route in page.routes if '.' in route.path))\n"
    )
    run = environment.run("python", "-c", program)
    assert (run.returncode, run.stderr) == (0, "")
    assert "/page.css" in run.stdout
    assert "/page.js" in run.stdout
    run = environment.run("event-brokers", "monitor", "--help")
    assert "--show-bodies" in run.stdout


def test_with_its_extra_the_assistant_keeps_conversations_in_a_database(
    wheels: dict[str, Wheel], tmp_path: Path
) -> None:
    """`[sql]` brings the SQL plugin's engine, and through it SQLAlchemy; no broker is needed."""
    core, assistant, sql = (
        wheels[f"event-brokers{name}"].path for name in ("", "-assistant", "-sql")
    )
    environment = Environment.made(
        tmp_path / "environment", f"{core}[cli]", f"{assistant}[sql]", str(sql)
    )
    program = (
        "from event_brokers_assistant import SQLTrackerStore\n"
        "from event_brokers_assistant.events import UserUttered\n"
        "for text in ('one', 'two'):\n"
        "    store = SQLTrackerStore(db='tracker.db')\n"
        "    tracker = store.get_or_create_tracker('s')\n"
        "    tracker.update(UserUttered(text))\n"
        "    store.save(tracker)\n"
        "    print(len(store.retrieve('s').events))\n"
        "    store.close()\n"
    )
    run = environment.run("python", "-W", "error", "-c", program)
    assert (run.stdout, run.stderr) == ("1\n2\n", "")


@pytest.mark.parametrize("type_name", sorted(DISTRIBUTIONS))
def test_the_core_alone_says_what_to_install(type_name: str, core_alone: Environment) -> None:
    """A type whose plugin is missing: one sentence with the pip command."""
    program = (
        "import event_brokers\n"
        f"try: event_brokers.connect({{'type': {type_name!r}}})\n"
        "except event_brokers.ConfigurationError as error: print(error)\n"
    )
    run = core_alone.run("python", "-c", program)
    install = f"pip install {DISTRIBUTIONS[type_name]}"
    assert run.stdout == f"event_broker.type: '{type_name}' is not installed; {install}\n"


def test_the_core_alone_has_no_client_and_no_command_line(core_alone: Environment) -> None:
    """No client of any broker; the command says which extra it needs."""
    assert not any(core_alone.has(client) for client in CLIENTS.values())
    run = core_alone.run("event-brokers", "plugins")
    assert run.returncode == os.EX_UNAVAILABLE
    assert run.stderr == (
        'the command line needs click and rich; pip install "event-brokers[cli]"\n'
    )


def test_a_plugin_brings_its_own_client_alone(plugin_alone: tuple[str, Environment]) -> None:
    """The other brokers' clients are absent, and their types are named with what to install."""
    name, environment = plugin_alone
    found = {plugin for plugin, client in CLIENTS.items() if environment.has(client)}
    assert found == {name} & CLIENTS.keys()
    other = next(plugin for plugin in PLUGINS if plugin != name)
    endpoints = environment.write_endpoints(type=other.removeprefix("event-brokers-"))
    run = environment.run("event-brokers", "check", "--endpoints", endpoints)
    assert run.returncode == os.EX_CONFIG
    assert f"is not installed; pip install {other}" in run.stderr


def test_a_plugin_lists_its_options(plugin_alone: tuple[str, Environment]) -> None:
    """`event-brokers plugins` shows the one plugin, its version and its options."""
    name, environment = plugin_alone
    run = environment.run("event-brokers", "plugins", "--json")
    (plugin,) = json.loads(run.stdout)["plugins"]
    assert (plugin["distribution"], plugin["version"]) == (name, VERSION)
    assert plugin["problem"] is None
    assert {"url", "password", "path"} & {option["name"] for option in plugin["options"]}


def test_a_plugin_delivers_or_says_why_not(plugin_alone: tuple[str, Environment]) -> None:
    """SQL and a file really take events; RabbitMQ and Kafka name the port that refuses."""
    name, environment = plugin_alone
    if name == "event-brokers-sql":
        _assert_publishes_into_sqlite(environment)
    elif name == "event-brokers-file":
        _assert_appends_to_a_file(environment)
    else:
        _assert_names_the_port_that_refuses(environment, name.removeprefix("event-brokers-"))


def test_the_second_client_of_kafka_comes_with_its_extra(
    wheels: dict[str, Wheel], tmp_path: Path
) -> None:
    """Without it one sentence says what to install; with it the client is there."""
    core, plugin = wheels["event-brokers"].path, wheels["event-brokers-kafka"].path
    environment = Environment.made(tmp_path / "environment", f"{core}[cli]", str(plugin))
    port = free_port()
    endpoints = environment.write_endpoints(
        type="kafka", url=f"127.0.0.1:{port}", client="librdkafka"
    )
    run = environment.run("event-brokers", "check", "--endpoints", endpoints)
    assert run.returncode == os.EX_CONFIG
    assert (
        "event_broker.client: 'librdkafka' needs a package; "
        "pip install 'event-brokers-kafka[librdkafka]'"
    ) in run.stderr
    environment.install(f"{plugin}[librdkafka]")
    assert environment.has("event_brokers_kafka.librdkafka")
    run = environment.run("event-brokers", "check", "--endpoints", endpoints)
    assert run.returncode == os.EX_UNAVAILABLE
    assert f"127.0.0.1:{port} refused the connection" in run.stderr


def _assert_publishes_into_sqlite(environment: Environment) -> None:
    program = (
        "import event_brokers\n"
        "with event_brokers.connect({'type': 'sql', 'db': 'events.db'}) as broker:\n"
        "    broker.publish({'event': 'user', 'text': 'hi'})\n"
    )
    run = environment.run("python", "-c", program)
    assert (run.returncode, run.stderr) == (0, "")
    with closing(sqlite3.connect(environment.folder / "events.db")) as connection:
        rows = connection.execute("SELECT data FROM events").fetchall()
    assert [json.loads(data) for (data,) in rows] == [{"event": "user", "text": "hi"}]


def _assert_appends_to_a_file(environment: Environment) -> None:
    program = (
        "import event_brokers\n"
        "with event_brokers.connect({'type': 'file', 'path': 'events.log'}) as broker:\n"
        "    broker.publish({'event': 'user', 'text': 'hi'})\n"
    )
    run = environment.run("python", "-c", program)
    assert (run.returncode, run.stderr) == (0, "")
    line = json.loads((environment.folder / "events.log").read_bytes())
    assert (line["event"], line["text"]) == ("user", "hi")


def _assert_names_the_port_that_refuses(environment: Environment, type_name: str) -> None:
    port = free_port()
    url = "127.0.0.1" if type_name == "pika" else f"127.0.0.1:{port}"
    only_pika = {"port": port} if type_name == "pika" else {}
    endpoints = environment.write_endpoints(type=type_name, url=url, **only_pika)
    run = environment.run("event-brokers", "check", "--endpoints", endpoints)
    assert run.returncode == os.EX_UNAVAILABLE
    assert f"127.0.0.1:{port}" in run.stderr
    assert "refused" in run.stderr
    assert "Traceback" not in run.stderr
