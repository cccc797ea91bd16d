"""What is installed beside a plugin, and is broken or built for another core, harms it in nothing.

Each such distribution is listed with the reason, and refused with one sentence when it is chosen.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from event_brokers import ConfigurationError, PluginError, connect
from event_brokers.core_range import mismatch, range_of_core, version_of_core
from event_brokers.plugins import InstalledPlugin, installed, load
from stand_in import require, write_command, write_plugin
from wheels import VERSION

SOUND = """
from event_brokers import hookimpl
@hookimpl
def connect(options): return object()
@hookimpl
def publish(connection, events): pass
@hookimpl
def close(connection): pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of installed distributions, of which one serves the type `sound`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    write_plugin(tmp_path, "sound", SOUND, "sound-dist")
    return tmp_path


def write(folder: Path, entry_points: bytes, metadata: bytes | None, module: str = SOUND) -> None:
    """Write the distribution `damaged-dist`, with its metadata as they are given."""
    information = folder / "damaged_dist-1.0.dist-info"
    information.mkdir()
    if metadata is not None:
        (information / "METADATA").write_bytes(metadata)
    (information / "entry_points.txt").write_bytes(entry_points)
    (folder / "damaged_dist.py").write_text(module, encoding="utf-8")


def listed() -> dict[str, InstalledPlugin]:
    """Return what is installed, by type; the plugin that is sound among it, and usable."""
    found = {plugin.type: plugin for plugin in installed()}
    assert found["sound"].plugin is not None
    assert found["sound"].problem is None
    assert load("sound").distribution == "sound-dist 1.0"
    return found


GOOD = b"Metadata-Version: 2.1\nName: damaged-dist\nVersion: 1.0\n"
ENTRY = b"[event_brokers]\nbroken = damaged_dist\n"


@pytest.mark.parametrize(
    "metadata", [None, b"", b"\n", b"\xff\xfe", b"Metadata-Version: 2.1\nName: damaged-dist\n"],
    ids=["missing", "empty", "blank", "not UTF-8", "without a version"],
)  # fmt: skip
def test_metadata_that_cannot_be_read_break_no_other_type(
    folder: Path, metadata: bytes | None
) -> None:
    """As an uninstallation that broke off leaves it."""
    write(folder, ENTRY, metadata)
    problem = str(listed()["broken"].problem)
    assert "its metadata cannot be read" in problem
    assert problem.endswith("install it again")
    with pytest.raises(PluginError) as caught:
        load("broken")
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "entry_points", [b"[event_brokers]\nbroken\n", b"[event_brokers]\nbroken = b\xff\n"],
    ids=["no value", "not UTF-8"],
)  # fmt: skip
def test_entry_points_that_cannot_be_read_break_no_other_type(
    folder: Path, entry_points: bytes
) -> None:
    """Nobody knows which types such a distribution serves: whoever misses one reads of it."""
    write(folder, entry_points, GOOD)
    lost = listed()["?"]
    assert lost.distribution == "damaged-dist"
    assert str(lost.problem).startswith("its entry points cannot be read: ")
    with pytest.raises(ConfigurationError) as caught:
        load("broken")
    assert f"; damaged-dist: {lost.problem}" in str(caught.value)


def test_entry_points_that_cannot_be_read_break_no_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And no section that is written for another loader."""
    write(folder, b"[console_scripts]\nbroken\n", GOOD)
    write_command(folder, "greet", "import click\n@click.command()\ndef command(): pass\n")
    from event_brokers.cli.program import run  # noqa: PLC0415 - after the path is set

    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    assert run(["greet"]) == 0
    with pytest.raises(ConfigurationError, match="broker_type"):
        connect({"type": "event_brokers.rasa.RasaEventBroker"})


@pytest.mark.parametrize(
    ("registered", "named"),
    [
        ("3", "an object of type int"),
        ("None", "an object of type NoneType"),
        ("[connect, publish, close]", "an object of type list"),
        ("lambda: None", "an object of type function"),
        ("dict", "the class dict"),
        ("__import__('json')", "the module json"),
        ("__import__('unittest.mock').mock.MagicMock()", "an object of type MagicMock"),
    ],
)
def test_a_wrong_object_is_named(folder: Path, registered: str, named: str) -> None:
    """With what to register instead."""
    write_plugin(folder, "broken", f"{SOUND}\nthing = {registered}", name := f"broken-{uuid4()}")
    (information,) = folder.glob("broken_*.dist-info")
    module = name.replace("-", "_")
    entry = f"[event_brokers]\nbroken = {module}:thing\n"
    (information / "entry_points.txt").write_text(entry, encoding="utf-8")
    problem = str(listed()["broken"].problem)
    assert problem == (
        f"the plugin 'broken' of {name} 1.0: its entry point leads to {named}, which has no hook; "
        "register what has connect, publish and close, each marked @hookimpl"
    )
    with pytest.raises(PluginError) as caught:
        load("broken")
    assert str(caught.value) == problem


@pytest.mark.parametrize("value", ["", "!!", "damaged_dist:nothing", "nowhere.at.all"])
def test_an_entry_point_that_leads_nowhere_is_named(folder: Path, value: str) -> None:
    """Written wrongly, or to what is not there."""
    write(folder, f"[event_brokers]\nbroken = {value}\n".encode(), GOOD)
    problem = str(listed()["broken"].problem)
    assert problem.startswith("the plugin 'broken' of damaged-dist 1.0: cannot be imported: ")
    assert "\n" not in problem
    with pytest.raises(PluginError):
        load("broken")


def test_two_distributions_that_claim_one_type_are_listed_with_it(folder: Path) -> None:
    """Each of them, with the sentence that choosing the type gives; none is imported for that."""
    write_plugin(folder, "same", "raise AssertionError", "first-dist")
    write_plugin(folder, "SAME", "raise AssertionError", "second-dist", "2.0")
    assert listed()["same"].plugin is None
    both = [plugin for plugin in installed() if plugin.type == "same"]
    assert {(plugin.distribution, plugin.version) for plugin in both} == {
        ("first-dist", "1.0"), ("second-dist", "2.0"),
    }  # fmt: skip
    with pytest.raises(ConfigurationError) as caught:
        load("Same")
    assert {plugin.problem for plugin in both} == {str(caught.value)}
    assert "both serve 'same'; uninstall one of them" in str(caught.value)
    assert not {"first_dist", "second_dist"} & sys.modules.keys()


@pytest.mark.parametrize(
    ("wanted", "upgraded"),
    [(">=99.1,<99.2", "event-brokers"), ("<0.0.1", "other-core"), ("~=99.0", "event-brokers")],
)
def test_a_plugin_for_another_core_is_refused_before_it_is_imported(
    folder: Path, wanted: str, upgraded: str
) -> None:
    """Its metadata say which cores it works with; the sentence says which of both to upgrade."""
    write_plugin(folder, "other", "raise AssertionError", "other-core")
    require(folder, "other-core", "a-client>=3")
    require(folder, "other-core", f"Event_Brokers[testing]{wanted}")
    problem = str(listed()["other"].problem)
    assert problem == (
        f"the plugin 'other' of other-core 1.0: is built for event-brokers{wanted}, and {VERSION} "
        f"is installed; pip install --upgrade {upgraded}"
    )
    with pytest.raises(PluginError) as caught:
        load("other")
    assert str(caught.value) == problem
    assert "other_core" not in sys.modules


@pytest.mark.parametrize(
    "requirement",
    [
        "event-brokers",
        f"event-brokers=={VERSION}",
        'event-brokers>=99; extra == "later"',
        "event-brokers @ file:///somewhere",
        "event-brokers-pika>=99",
        ">=99",
    ],
)
def test_a_plugin_that_asks_for_no_other_core_is_used(folder: Path, requirement: str) -> None:
    """Without a range, for a core from elsewhere, or with one that holds only under a condition."""
    write_plugin(folder, "other", SOUND, name := f"other-{uuid4()}")
    require(folder, name, requirement)
    assert listed()["other"].problem is None


def test_the_core_knows_its_own_version() -> None:
    """As its distribution says it."""
    assert version_of_core() == VERSION


releases = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(
    lambda numbers: ".".join(map(str, numbers))
)
comparisons = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
clauses = st.one_of(
    st.builds(str.__add__, comparisons, releases),
    st.builds("{}{}.*".format, st.sampled_from(["==", "!="]), releases),
    st.builds("~={}.{}".format, releases, st.integers(0, 3)),
)


@given(st.lists(clauses, min_size=1, max_size=3), releases, st.sampled_from([",", " , "]))
def test_a_range_means_what_pip_takes_it_for(bounds: list[str], present: str, between: str) -> None:
    """Each bound that PEP 440 has, alone and together, for every release."""
    wanted = range_of_core([f"event-brokers {between.join(bounds)}"])
    assert wanted is not None
    refused = mismatch(wanted, present, "a-plugin")
    assert (refused is None) == SpecifierSet(wanted).contains(present)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise SystemExit('no client')", "ends the program: SystemExit: no client"),
        ("class Ends(BaseException): pass\nraise Ends('all')", "ends the program: Ends: all"),
        ("raise RecursionError('deep')", "cannot be imported: RecursionError: deep"),
        (f"{SOUND}@hookimpl\ndef options(): raise SystemExit", "ends the program: SystemExit"),
        (f"{SOUND}def __dir__(): raise OSError('x')", "cannot be registered: OSError: x"),
    ],
)
def test_a_plugin_that_crashes_when_it_is_chosen_is_one_sentence(
    folder: Path, source: str, reason: str
) -> None:
    """No program ends without a word because a plugin's client is missing."""
    write_plugin(folder, "broken", source, name := f"broken-{uuid4()}")
    with pytest.raises(PluginError) as caught:
        load("broken")
    assert str(caught.value) == f"the plugin 'broken' of {name} 1.0: {reason}"
    assert listed()["broken"].problem == str(caught.value)


@pytest.mark.parametrize("raised", [SystemExit, TimeoutError])
def test_what_a_signal_handler_raises_in_an_import_is_not_the_plugin_s(
    folder: Path, raised: type[BaseException]
) -> None:
    """An application that is ended, or whose time is up, is not told that a plugin is broken."""

    def end(*_: object) -> None:
        raise raised

    source = "import signal; signal.raise_signal(signal.SIGUSR1)"
    write_plugin(folder, "broken", source, f"broken-{uuid4()}")
    before = signal.signal(signal.SIGUSR1, end)
    try:
        with pytest.raises(raised):
            load("broken")
    finally:
        signal.signal(signal.SIGUSR1, before)
