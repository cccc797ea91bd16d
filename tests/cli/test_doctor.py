"""`event-brokers doctor`: all that can be looked at from outside, on one page, worst first."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

import event_brokers
from command import Commands, numbered
from event_brokers import certificates
from event_brokers.cli import diagnosis
from event_brokers.cli.certificate_findings import of_certificates
from event_brokers.cli.finding import Verdict
from event_brokers.cli.permission_findings import of_permissions
from event_brokers.endpoints import read
from metric_samples import Samples
from other_user import as_another_user
from servers.backends import Backend
from spools import tree
from waiting import next_line, wait_until

SPOOL: dict[str, Any] = {"delivery": {"spool": "waiting"}}
UTC = datetime.timezone.utc


def findings(commands: Commands, *words: str) -> list[dict[str, str]]:
    """Return what it finds, in its order."""
    found: list[dict[str, str]] = commands.run("doctor", "--json", *words).document["findings"]
    return found


def of(found: list[dict[str, str]], subject: str) -> list[tuple[str, str]]:
    """Return verdict and text of all that was found about one subject."""
    return [(each["verdict"], each["text"]) for each in found if each["subject"] == subject]


def test_all_is_well(commands: Commands) -> None:
    """Every subject has a line, nothing is wrong, and the code is 0."""
    commands.broker(SPOOL)
    assert commands.run("publish", commands.events(*numbered(3))).code == 0
    done = commands.run("doctor")
    assert (done.code, done.err) == (0, "")
    assert "wrong" not in done.out
    found = findings(commands)
    subjects = {each["subject"] for each in found}
    assert subjects == {
        "file", "broker", "spool", "delivery", "dead letters", "disk", "permissions", "clock",
        "versions",
    }  # fmt: skip
    assert of(found, "spool") == [("ok", "nothing waits, and no process delivers now")]
    ((_, text),) = of(found, "delivery")
    assert re.fullmatch(r"the last confirm came \d+ s ago; \d in the last minute, 3 in all", text)
    assert of(found, "dead letters") == [("ok", "none")]
    assert "journal-broker 1.0" in of(found, "versions")[0][1]


def test_the_worst_comes_first_and_decides_the_code(commands: Commands) -> None:
    """Events that nobody delivers, dead letters, a broker that is away: wrong before warnings."""
    commands.broker({**SPOOL, "publish_fails": "rejected", "sentence": "no such type"})
    assert commands.run("publish", commands.events(*numbered(2))).code == 65
    commands.broker({**SPOOL, "connect_fails": "unavailable"})
    assert commands.run("publish", "--timeout", "0.3", commands.events(*numbered(1))).code == 75
    done = commands.run("doctor")
    assert done.code == 69
    lines = done.out.splitlines()
    assert lines[0] == "wrong   broker       nobody listens"
    assert lines[1].startswith("wrong   spool        1 events wait, the oldest for ")
    assert "no process delivers them; start the program that publishes" in lines[1]
    found = findings(commands)
    order = [Verdict[each["verdict"].upper()] for each in found]
    assert order == sorted(order)
    verdict, text = of(found, "dead letters")[0]
    assert (verdict, text.partition(";")[0]) == ("warning", "2")


def test_a_delivery_that_halts_says_why_and_what_comes_next(commands: Commands) -> None:
    """From outside, while the program that delivers runs; somebody must change something."""
    folder = str(commands.folder / "waiting")
    section: dict[str, Any] = {"type": "sql", "db": str(commands.folder / "no" / "events.db")}
    section |= {"delivery": {"spool": folder}}
    commands.broker(section)
    with event_brokers.connect(section) as broker:
        broker.publish({"n": 1})
        wait_until(lambda: broker.status().last_error)
        look = [each for each in diagnosis.of_spool(read(section)) if each.subject == "spool"]
        status = broker.status()
        broker.close(timeout=0)
    assert status.last_error is not None
    assert look[0].verdict is Verdict.WRONG
    assert status.last_error in look[0].text
    assert "; it " in look[0].text
    assert look[0].code in {75, 78}


STOPPED = """
import json, sys
import event_brokers
with event_brokers.connect(json.loads(sys.argv[1])) as broker:
    broker.publish({"n": 1})
    print(broker.flush(60).delivered, flush=True)
    sys.stdin.read()
"""


def test_events_that_wait_while_nothing_fails_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that delivers is stopped, and would say that it is connected for ever."""
    section = {
        "type": "sql", "db": str(tmp_path / "events.db"),
        "delivery": {"spool": str(tmp_path / "spool")},
    }  # fmt: skip
    monkeypatch.setattr(diagnosis, "LATE_SECONDS", 0.0)
    command = [sys.executable, "-c", STOPPED, json.dumps(section)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert next_line(process) == "1"
        process.send_signal(signal.SIGSTOP)
        try:
            with event_brokers.connect(section) as broker:
                broker.publish({"n": 2})
                looked = list(diagnosis.of_spool(read(section)))
                broker.close(timeout=0)
        finally:
            process.kill()
    (spool,) = [each for each in looked if each.subject == "spool"]
    assert spool.verdict is Verdict.WARNING
    assert spool.text.startswith("connected, 1 events wait, the oldest for ")


def test_a_file_that_cannot_be_read_is_found_and_the_machine_is_still_looked_at(
    commands: Commands,
) -> None:
    """One wrong line with file and option, and the code of `check`."""
    commands.broker({"type": "pika", "prot": 1})
    done = commands.run("doctor")
    assert done.code == 78
    first, *others = done.out.splitlines()
    assert first.startswith("wrong   file         endpoints.yml:")
    assert "did you mean 'port'?" in first
    assert [line.split()[1] for line in others] in (["clock", "versions"], ["versions", "clock"])


def test_without_a_spool_it_warns(commands: Commands) -> None:
    """What waits in memory is lost with the process."""
    assert of(findings(commands), "spool")[0][0] == "warning"


def test_what_others_can_read_is_said(commands: Commands) -> None:
    """A file with a password in it, a key, and a spool; never the password itself."""
    key = commands.folder / "client.pem"
    signed = trustme.CA().issue_cert("localhost")
    key.write_bytes(signed.private_key_and_cert_chain_pem.bytes())
    section = {
        "type": "pika", "url": "amqps://localhost:1", "username": "me",
        "password": "canary-password", "queue": "q", "ssl_certfile": str(key),
        "delivery": {"spool": str(commands.folder / "waiting")},
    }  # fmt: skip
    commands.broker(section)
    (commands.folder / "waiting").mkdir(mode=0o755)
    for file in (commands.folder / "endpoints.yml", key):
        file.chmod(0o644)
    done = commands.run("doctor", "--json")
    assert "canary" not in done.out + done.err
    texts = [text for verdict, text in of(done.document["findings"], "permissions")]
    assert len(texts) == 3
    assert "'endpoints.yml' holds a secret" in texts[0]
    assert "holds a key" in texts[1]
    assert "holds conversations" in texts[2]
    for file in (commands.folder / "endpoints.yml", key):
        file.chmod(0o600)
    (commands.folder / "waiting").chmod(0o700)
    assert of(findings(commands), "permissions")[0][0] == "ok"


@pytest.mark.parametrize(
    ("days", "verdict", "words"),
    [(400, "ok", "is valid for 400 days"), (12, "warning", "is valid for 12 days; renew it"),
     (-3, "wrong", "expired 3 days ago; renew it")],
)  # fmt: skip
def test_the_days_of_a_certificate_are_counted(
    commands: Commands, days: int, verdict: str, words: str
) -> None:
    """So that somebody renews it before it ends."""
    now = datetime.datetime.now(UTC)
    start, end = now - datetime.timedelta(days=1000), now + datetime.timedelta(days=days, hours=1)
    signed = trustme.CA().issue_cert("localhost", not_before=start, not_after=end)
    file = commands.folder / "client.pem"
    file.write_bytes(signed.private_key_and_cert_chain_pem.bytes())
    section = {"type": "pika", "url": "amqps://localhost:1", "queue": "q"}
    commands.broker({**section, "ssl_certfile": str(file)})
    assert of(findings(commands), "tls") == [(verdict, f"ssl_certfile: '{file}' {words}")]


def authority(days: int) -> bytes:
    """Return an authority's certificate that ends in so many days."""
    now = datetime.datetime.now(UTC)
    start, end = now - datetime.timedelta(days=1000), now + datetime.timedelta(days=days, hours=1)
    return trustme.CA().issue_cert("a", not_before=start, not_after=end).cert_chain_pems[0].bytes()


@pytest.mark.parametrize(
    ("content", "verdict", "words"),
    [
        (authority(-3) + authority(400), Verdict.WARNING, ": 1 of its 2 certificates have expired"),
        (authority(400) + authority(12), Verdict.WARNING, " is valid for 12 days; renew it"),
        (authority(-9) + authority(-3), Verdict.WRONG, " expired 3 days ago; renew it"),
        (b"", Verdict.WRONG, " holds no certificate"),
        (
            b"-----BEGIN CERTIFICATE-----\nQUJ\n-----END CERTIFICATE-----\n",
            Verdict.WRONG,
            " holds a certificate that is damaged",
        ),
    ],
    ids=["one has ended", "one will end", "all have ended", "none", "damaged"],
)
def test_a_bundle_of_authorities_is_wrong_only_where_none_of_them_is_of_use(
    tmp_path: Path, content: bytes, verdict: Verdict, words: str
) -> None:
    """An old authority that stands beside the one in use is no outage."""
    file = tmp_path / "authorities.pem"
    file.write_bytes(content)
    section = {"type": "pika", "url": "amqps://localhost:1", "queue": "q", "ssl_cafile": str(file)}
    (found,) = [
        each for each in of_certificates(read(section)) if each.text.startswith("ssl_cafile: ")
    ]
    assert found.verdict is verdict
    assert found.text.startswith(f"ssl_cafile: '{file}'{words}")


def test_a_server_s_certificate_that_cannot_be_read_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the page goes on."""
    monkeypatch.setattr(certificates, "_shown", {"broker": b"?"})
    (found,) = of_certificates(read({"type": "sql", "db": "events.db"}))
    assert (found.verdict, found.code) == (Verdict.WRONG, 78)
    assert found.text == "the certificate of 'broker' cannot be read"


@pytest.mark.parametrize(
    ("free", "verdict"), [(1024**2, Verdict.WRONG), (2**40, Verdict.OK), (2**28, Verdict.WARNING)]
)
def test_a_disk_that_fills_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: Verdict
) -> None:
    """Before `publish` raises: too little for anything, or less than the spool may still take."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=free))
    section = {"type": "sql", "db": "events.db", "delivery": {"spool": str(tmp_path / "spool")}}
    (disk,) = [each for each in diagnosis.of_spool(read(section)) if each.subject == "disk"]
    assert disk.verdict is verdict


def test_a_spool_that_is_closed_to_the_user_is_wrong_and_the_page_goes_on(tmp_path: Path) -> None:
    """A sentence on the spool, and every other subject has its line."""
    (tmp_path / "closed").mkdir(mode=0o700)
    folder = str(tmp_path / "closed" / "spool")
    settings = read({"type": "sql", "db": "events.db", "delivery": {"spool": folder}})
    with as_another_user():
        (spool,) = diagnosis.of_spool(settings)
    assert (spool.verdict, spool.code) == (Verdict.WRONG, 74)
    assert spool.text == f"'{folder}': permission denied"
    with as_another_user():
        (permissions,) = of_permissions(settings, os.devnull)
    assert permissions.verdict is Verdict.OK


@pytest.mark.parametrize("state", ["missing", "empty", "healthy", "damaged"])
def test_looking_changes_nothing(commands: Commands, state: str) -> None:
    """Neither the page nor the metrics make, repair or touch a thing in the spool's folder."""
    folder = commands.folder / "waiting"
    commands.broker(SPOOL)
    if state == "empty":
        folder.mkdir(mode=0o700)
    if state in {"healthy", "damaged"}:
        assert commands.run("publish", commands.events(*numbered(3))).code == 0
    if state == "damaged":
        with (folder / "data" / "events.db").open("r+b") as opened:
            opened.write(b"x" * 4096)
    before = tree(folder)
    found = of(findings(commands), "spool")
    shown = commands.run("metrics").out
    assert tree(folder) == before
    is_readable = state != "damaged"
    assert ("wrong" in [verdict for verdict, _ in found]) != is_readable
    assert Samples(shown).value("spool_readable") == is_readable


@pytest.mark.parametrize("is_adrift", [True, False])
def test_a_clock_that_nothing_keeps_right_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, is_adrift: bool
) -> None:
    """The kernel knows; where it does not tell, there is the time alone."""
    monkeypatch.setattr(diagnosis, "_is_adrift", lambda: is_adrift)
    before = f"{datetime.datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    (clock,) = diagnosis.of_clock()
    after = f"{datetime.datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    assert before <= clock.text.partition(",")[0] <= after
    assert (clock.verdict is Verdict.WARNING) == is_adrift == ("run NTP" in clock.text)


def test_every_broker_is_asked(commands: Commands, backend: Backend) -> None:
    """As `check` does, and nothing arrives by looking."""
    commands.broker(backend.section)
    assert commands.run("publish", commands.events({"n": 1})).code == 0
    found = of(findings(commands), "broker")
    assert found
    assert all(verdict == "ok" for verdict, _ in found)
    assert len(backend.read()) == 1
