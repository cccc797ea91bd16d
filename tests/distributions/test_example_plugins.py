"""The plugins of `examples/`, installed from their wheels beside the core: as a stranger's are."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from environments import Environment
from servers.backends import Backend
from wheels import EXAMPLES, ROOT, Wheel, read_project

pytestmark = [pytest.mark.xdist_group("wheels"), pytest.mark.timeout(600)]
EVENTS = [{"sender_id": "a", "event": "user", "number": number} for number in range(3)]


def type_of(distribution: str) -> str:
    """Return the type that a distribution serves."""
    return distribution.removeprefix("event-brokers-")


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> str:
    """Return each example's distribution in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def installed(
    example: str, wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """Return an environment that holds the core, the command line and one example."""
    folder = tmp_path_factory.mktemp(example) / "environment"
    core = wheels["event-brokers"].path
    return Environment.made(folder, f"{core}[cli]", str(wheels[example].path))


@pytest.fixture
def backend(example: str, request: pytest.FixtureRequest) -> Backend:
    """Return the real server of the example's type."""
    found: Backend = request.getfixturevalue(f"{type_of(example)}_backend")
    return found


def test_a_wheel_is_complete(example: str, wheels: dict[str, Wheel]) -> None:
    """Every module, py.typed, a licence, its README as the text, and the entry point."""
    source = EXAMPLES[example] / "src"
    package = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    assert any(path.endswith("/py.typed") for path in package)
    wheel = wheels[example]
    information = f"{example.replace('-', '_')}-{read_project(EXAMPLES[example])['version']}"
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}
    assert wheel.files() == package | {f"{information}.dist-info/{file}" for file in about}
    assert wheel.metadata().get_payload() == (EXAMPLES[example] / "README.md").read_text("utf-8")
    assert (EXAMPLES[example] / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_it_stands_in_the_list_of_plugins(example: str, installed: Environment) -> None:
    """With its version and every option; and is the only one there."""
    run = installed.run("event-brokers", "plugins", "--json")
    (plugin,) = json.loads(run.stdout)["plugins"]
    version = read_project(EXAMPLES[example])["version"]
    assert (plugin["type"], plugin["distribution"], plugin["version"], plugin["problem"]) == (
        type_of(example), example, version, None,
    )  # fmt: skip
    assert {"url", "username", "password", "tls", "stream"} <= {
        option["name"] for option in plugin["options"]
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"type": "{type}s"}, "no plugin serves '{type}s'; did you mean '{type}'?"),
        ({"strem": "x"}, "unknown option of '{type}'; did you mean 'stream'?"),
        ({"type": "kafka"}, "'kafka' is not installed; pip install event-brokers-kafka"),
    ],
    ids=["type", "option", "another"],
)
def test_a_slip_is_corrected(
    example: str, installed: Environment, change: dict[str, str], sentence: str
) -> None:
    """As for the project's own types."""
    kind = type_of(example)
    section = {"type": kind, **{name: text.format(type=kind) for name, text in change.items()}}
    run = installed.run(
        "event-brokers", "check", "--endpoints", installed.write_endpoints(**section)
    )
    assert run.returncode == 78
    assert sentence.format(type=kind) in run.stderr


def test_events_go_all_the_way(installed: Environment, backend: Backend) -> None:
    """Checked, published through a spool, and read back by `tail`, in an environment of its own."""
    spool, stream = str(installed.folder / "spool"), backend.section["stream"]
    section: dict[str, Any] = {**backend.section, "delivery": {"spool": spool}}
    endpoints = ["--endpoints", installed.write_endpoints(**section)]
    assert_says(installed, "is missing; it is made at the first", "check", *endpoints)
    lines = "".join(f"{json.dumps(event)}\n" for event in EVENTS)
    (installed.folder / "events").write_text(lines, encoding="utf-8")
    assert_says(installed, "3 delivered", "publish", *endpoints, "events")
    assert_says(installed, f"stream '{stream}' found", "check", *endpoints)
    assert [json.loads(each.body) for each in backend.read()] == EVENTS
    assert tail(installed, *endpoints, count=len(EVENTS)) == EVENTS


def assert_says(installed: Environment, sentence: str, *words: str) -> None:
    """Run the command line, which succeeds and says something."""
    run = installed.run("event-brokers", *words)
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert sentence in run.stdout


def tail(installed: Environment, *endpoints: str, count: int) -> list[dict[str, Any]]:
    """Return the first events that `tail` shows, and end it as Ctrl-C does."""
    words = ["tail", *endpoints, "--from-start", "--json"]
    command = [str(installed.program("event-brokers")), *words]
    with subprocess.Popen(
        command, cwd=installed.folder, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            shown = [json.loads(process.stdout.readline()) for _ in range(count)]
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 128 + signal.SIGTERM
        finally:
            process.kill()
    return [each["event"] for each in shown]
