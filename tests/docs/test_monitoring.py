"""What docs/monitoring.md, the alert rules and the dashboard name is what the collector shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from event_brokers.metric_table import METRICS, STATES, Kind, table
from event_brokers.metrics import EventBrokersCollector
from event_brokers.testing import MemoryBroker
from wheels import ROOT

DOCS = ROOT / "docs"
ALERTS = DOCS / "alerts.yml"
_NAME = re.compile(r"\bevent_brokers_\w+")
_STATE = re.compile(r'state=~?"([a-z|]+)"')


def exposed() -> set[str]:
    """Return every name that a query may use."""
    names = set()
    for metric in METRICS:
        suffixes = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
        names |= {metric.name + suffix for suffix in suffixes}
    return names


def rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    document = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard."""
    document = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = document["panels"]
    return found


def queries() -> Iterator[Any]:
    """Yield every query of the rules and of the dashboard."""
    for rule in rules():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for panel in panels():
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")


def test_the_table_is_that_of_the_collector() -> None:
    """Name, kind, labels and what each says; `metric_table.table()` gives it anew."""
    assert table() in (DOCS / "monitoring.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("query", [*queries()])
def test_every_metric_and_state_of_a_query_is_exposed(query: str) -> None:
    """So that no alarm is silent because it waits for a name that nothing has."""
    names = set(_NAME.findall(query))
    assert names
    assert names <= exposed()
    states = {state for found in _STATE.findall(query) for state in found.split("|")}
    assert states <= set(STATES)
    assert query.count("(") == query.count(")")


@pytest.mark.parametrize("query", [*queries()])
def test_what_a_spool_counts_is_never_summed(query: str) -> None:
    """It is the same in every process that shares the spool."""
    of_queues = {each.name for each in METRICS if "scope" in each.labels}
    if of_queues & set(_NAME.findall(query)):
        assert re.search(r"\b(max|min)\b", query)
        assert not re.search(r"\bsum\b", query)


def test_every_alarm_says_what_to_do() -> None:
    """A sentence for the message, one for the way out, and how urgent it is."""
    for rule in rules():
        assert {"summary", "description"} == set(rule["annotations"])
        assert rule["labels"]["severity"] in {"critical", "warning"}
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))


def test_no_panel_covers_another() -> None:
    """Each has its place on the 24 columns, and an id of its own."""
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (place["x"] + column, place["y"] + row)
            for column in range(place["w"])
            for row in range(place["h"])
        }
        assert not cells & taken
        assert max(column for column, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def promtool(*words: str, given: str = "") -> None:
    """Run promtool, and fail where it finds something wrong; in CI also where it is missing."""
    if shutil.which("promtool") is None:
        unwanted = os.environ.get("WITHOUT_SERVERS") == "true"
        if os.environ.get("CI") == "true" and not unwanted:
            pytest.fail("promtool is missing")
        pytest.skip("promtool is missing")
    command = ["promtool", *words]
    done = subprocess.run(command, check=False, input=given, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_prometheus_itself_takes_the_rules() -> None:
    """As `promtool check rules` reads them."""
    promtool("check", "rules", str(ALERTS))


def test_prometheus_itself_finds_nothing_wrong_with_the_names() -> None:
    """As `promtool check metrics` looks at them."""
    registry = CollectorRegistry()
    registry.register(EventBrokersCollector())
    with MemoryBroker().start() as broker:
        broker.publish({"n": 1})
        broker.flush(20)
        shown = generate_latest(registry).decode()
    promtool("check", "metrics", given=shown)


BROKER = 'job="bot", type="kafka", name="kafka"'
SPOOL = f'scope="spool", {BROKER}'
FIRING = {
    "EventBrokersHalted": {f'event_brokers_state{{state="halted", {SPOOL}}}': "1x30"},
    "EventBrokersNotConnected": {f'event_brokers_state{{state="retrying", {SPOOL}}}': "1x30"},
    "EventBrokersUnattended": {
        f'event_brokers_state{{state="unattended", {SPOOL}}}': "1x30",
        f"event_brokers_pending{{{SPOOL}}}": "3x30",
    },
    "EventBrokersFallingBehind": {f"event_brokers_oldest_pending_seconds{{{SPOOL}}}": "301x30"},
    "EventBrokersSilent": {
        f"event_brokers_last_confirm_age_seconds{{{SPOOL}}}": "900x30",
        f"event_brokers_pending{{{SPOOL}}}": "3x30",
    },
    "EventBrokersDeadLetters": {f"event_brokers_dead_letters{{{SPOOL}}}": "0+1x30"},
    "EventBrokersSpoolUnreadable": {f"event_brokers_spool_readable{{{SPOOL}}}": "0x30"},
    "EventBrokersSlowPublish": {
        f'event_brokers_publish_duration_seconds_bucket{{le="0.1", {BROKER}}}': "0x30",
        f'event_brokers_publish_duration_seconds_bucket{{le="0.5", {BROKER}}}': "0+60x30",
        f'event_brokers_publish_duration_seconds_bucket{{le="+Inf", {BROKER}}}': "0+60x30",
    },
}
SILENT = {"EventBrokersSpoolUnreadable": "1x30"}  # where all is well; 0 for all the others


def test_every_alarm_has_an_example_of_when_it_fires() -> None:
    """Which the next test gives to Prometheus."""
    assert set(FIRING) == {rule["alert"] for rule in rules()}


@pytest.mark.parametrize("alarm", FIRING)
def test_an_alarm_fires_when_it_should_and_is_silent_otherwise(alarm: str, tmp_path: Path) -> None:
    """As `promtool test rules` computes it, 20 minutes after things went wrong."""
    firing, silent = (
        {
            "interval": "1m",
            "input_series": [
                {"series": series, "values": values if fires else SILENT.get(alarm, "0x30")}
                for series, values in FIRING[alarm].items()
            ],
            "promql_expr_test": [
                {"expr": f'count(ALERTS{{alertname="{alarm}",alertstate="firing"}}) or vector(0)',
                 "eval_time": "20m", "exp_samples": [{"labels": "{}", "value": int(fires)}]},
            ],
        }
        for fires in (True, False)
    )  # fmt: skip
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "tests": [firing, silent]}))
    promtool("test", "rules", str(file))
