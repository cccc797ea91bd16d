"""The fanout exchange of RabbitMQ: events go where Rasa 3 sends them, and to whoever is bound."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pika
import pytest

import event_brokers
from consuming import in_background
from event_brokers import Consumer, endpoints
from event_brokers_pika.hooks import check
from servers import RabbitMQ
from waiting import wait_until

pytestmark = pytest.mark.xdist_group("rabbitmq")

RASAS_EXCHANGE, RASAS_QUEUE = "rasa-exchange", "rasa_core_events"


class VirtualHost:
    """A virtual host of one test alone: the exchange has the same name in every one.

    Parameters:
        server: where it is.
        name: its name.
    """

    def __init__(self, server: RabbitMQ, name: str) -> None:
        self.server = server
        self.name = name

    def section(self, **given: Any) -> dict[str, Any]:
        """Return a section of endpoints.yml that leads here."""
        server = self.server
        return {
            "type": "pika", "url": f"amqp://{server.host}/{self.name}", "port": server.port,
            "username": server.username, "password": server.password, **given,
        }  # fmt: skip

    def write(self, file: Path, *lines: str) -> Path:
        """Write an endpoints.yml that leads here, and return its path."""
        section = "".join(f"  {name}: {value}\n" for name, value in self.section().items())
        more = "".join(f"  {line}\n" for line in lines)
        file.write_text(f"event_broker:\n{section}{more}", encoding="utf-8")
        return file

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """Hand out a channel of the plain client."""
        url = f"{self.server.url}{self.name}"
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            yield connection.channel()

    def declare_as_rasa(self, queue: str) -> None:
        """Do as `_set_up_exchange` of rasa/core/brokers/pika.py: the exchange is not durable."""
        with self.channel() as channel:
            channel.exchange_declare(RASAS_EXCHANGE, "fanout")
            channel.queue_declare(queue, durable=True)
            channel.queue_bind(queue, RASAS_EXCHANGE, "")

    def bodies(self, queue: str) -> list[bytes]:
        """Take everything from a queue."""
        found = []
        with self.channel() as channel:
            while (body := channel.basic_get(queue, auto_ack=True)[2]) is not None:
                found.append(body)
        return found

    def names(self, kind: str) -> list[str]:
        """Return the names of its queues or exchanges."""
        listed = self.server.control(f"list_{kind}s", "-p", self.name, "name")
        return listed.split()

    def bindings(self) -> list[str]:
        """Return the queues that are bound to Rasa's exchange."""
        listed = self.server.control(
            "list_bindings", "-p", self.name, "source_name", "destination_name"
        )
        pairs = [line.split("\t") for line in listed.splitlines()]
        return sorted(pair[1] for pair in pairs if pair[0] == RASAS_EXCHANGE)


@pytest.fixture
def host(rabbitmq: RabbitMQ) -> Iterator[VirtualHost]:
    """Return a virtual host in which nothing is yet."""
    name = f"host-{uuid4()}"
    rabbitmq.control("add_vhost", name)
    rabbitmq.control("set_permissions", "-p", name, rabbitmq.username, ".*", ".*", ".*")
    yield VirtualHost(rabbitmq, name)
    rabbitmq.control("delete_vhost", name)


def deliver(source: Any, *numbers: int) -> None:
    """Publish events and wait until they are delivered."""
    with event_brokers.connect(source) as broker:
        broker.publish_many({"n": number} for number in numbers)
        assert broker.flush(30).delivered == len(numbers)


@pytest.mark.parametrize(
    ("lines", "queue"),
    [
        (["queues: [events]"], "events"),
        (["queues:", "- events"], "events"),
        (["queues: events"], "events"),
        (["queues: events", "queue: other"], "events"),
        ([], RASAS_QUEUE),
    ],
)
def test_whoever_is_bound_to_rasas_exchange_goes_on_receiving(
    host: VirtualHost, tmp_path: Path, lines: list[str], queue: str
) -> None:
    """A file of Rasa 3 has the same destination here, also with one queue, or with none named."""
    host.declare_as_rasa("somebody else's")
    deliver(host.write(tmp_path / "endpoints.yml", *lines), 1, 2)
    wanted = [b'{"n":1}', b'{"n":2}']
    assert host.bodies(queue) == wanted
    assert host.bodies("somebody else's") == wanted
    assert sorted(host.names("queue")) == sorted(["name", queue, "somebody", "else's"])


@pytest.mark.parametrize("lines", [["queue: events"], ["queues: events", 'exchange_name: ""']])
def test_a_queue_alone_is_published_to_alone(
    host: VirtualHost, tmp_path: Path, lines: list[str]
) -> None:
    """As in Rasa Core and the original documentation: nobody else gets it."""
    host.declare_as_rasa("other")
    deliver(host.write(tmp_path / "endpoints.yml", *lines), 1)
    assert host.bodies("events") == [b'{"n":1}']
    assert host.bodies("other") == []
    assert host.bindings() == ["other"]


def test_check_says_where_events_go_and_that_an_exchange_is_not_durable(host: VirtualHost) -> None:
    """One line, as with Rasa 3; and what ends when RabbitMQ is restarted is named."""
    host.declare_as_rasa(RASAS_QUEUE)
    options = endpoints.read(host.section()).options
    assert check(options)[1:] == [
        f"queue '{RASAS_QUEUE}' found",
        (
            f"exchange '{RASAS_EXCHANGE}' found; it is not durable, so it ends when RabbitMQ is "
            "restarted, and is made again then"
        ),
        (
            f"events go to exchange '{RASAS_EXCHANGE}', and from there to every bound queue, "
            "as with Rasa 3"
        ),
    ]
    nowhere = endpoints.read(host.section(exchange_name="")).options
    assert check(nowhere)[1:] == [
        f"queue '{RASAS_QUEUE}' found",
        (
            f"events go to queue '{RASAS_QUEUE}' alone, through the default exchange; Rasa 3 has "
            f"no such way, its default is exchange '{RASAS_EXCHANGE}' and queue '{RASAS_QUEUE}'"
        ),
    ]


@pytest.mark.timeout(180)
def test_an_exchange_that_rasa_made_ends_with_rabbitmq_and_is_made_again_as_it_was(
    host: VirtualHost,
) -> None:
    """Nobody has to do anything, nothing is lost, and a Rasa beside it can declare it, too."""
    host.declare_as_rasa("events")
    with event_brokers.connect(host.section(queues="events")) as broker:
        broker.publish({"n": 0})
        assert broker.flush(30).delivered == 1
        host.server.restart()
        broker.publish_many({"n": number} for number in range(1, 20))
        assert broker.flush(120).delivered == 20
    host.declare_as_rasa("events")
    assert set(host.bodies("events")) == {b'{"n":%d}' % number for number in range(20)}


@pytest.mark.timeout(180)
def test_an_exchange_that_was_made_here_outlives_rabbitmq(host: VirtualHost) -> None:
    """With every binding: whoever is bound does not have to notice that it was restarted."""
    with event_brokers.connect(host.section(queues="events")) as broker:
        broker.publish({"n": 0})
        assert broker.flush(30).delivered == 1
        with host.channel() as channel:
            channel.queue_declare("other", durable=True)
            channel.queue_bind("other", RASAS_EXCHANGE, "")
        host.server.restart()
        broker.publish({"n": 1})
        assert broker.flush(120).delivered == 2
    assert set(host.bodies("other")) == {b'{"n":1}'}


@pytest.mark.parametrize("lost", ["queue", "exchange"])
def test_what_is_gone_behind_queues_is_loud_and_never_made_anew(
    host: VirtualHost, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The same as with every other place; the sentence names the option that was written."""
    name, option = {
        "queue": ("events", "queues"), "exchange": (RASAS_EXCHANGE, "exchange_name"),
    }[lost]  # fmt: skip
    with event_brokers.connect(host.section(queues="events")) as broker:
        broker.publish({"n": 0})
        assert broker.flush(30).delivered == 1
        with host.channel() as person:
            (person.queue_delete if lost == "queue" else person.exchange_delete)(name)
        broker.publish({"n": 1})
        wait_until(lambda: broker.status().state == "halted")
        begin = f"event_broker.{option}: the {lost} '{name}' was used before and is gone from"
        assert str(broker.status().last_error).startswith(begin)
        assert name not in host.names(lost)
        with host.channel() as person:
            if lost == "queue":
                person.queue_declare(name, durable=True)
            else:
                person.exchange_declare(name, "fanout", durable=True)
        assert broker.flush(60).delivered == 2
    loud = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert [each.name for each in loud].count("event_brokers") == 1


def test_a_binding_that_is_gone_is_told_and_costs_no_event(
    host: VirtualHost, caplog: pytest.LogCaptureFixture
) -> None:
    """RabbitMQ returns what no queue takes; the queue is bound again, and gets all of it."""
    with event_brokers.connect(host.section(queues="events")) as broker:
        broker.publish({"n": 0})
        assert broker.flush(30).delivered == 1
        with host.channel() as person:
            person.queue_unbind("events", RASAS_EXCHANGE, "")
        broker.publish({"n": 1})
        assert broker.flush(60).delivered == 2
    reason = f"RabbitMQ returned 1 event: NO_ROUTE, for no queue is bound to '{RASAS_EXCHANGE}'"
    assert f"pika: retrying: {reason}; next attempt in" in caplog.text
    assert host.bodies("events") == [b'{"n":0}', b'{"n":1}']


def test_a_queue_that_was_unbound_beside_another_is_bound_again_at_the_next_connect(
    host: VirtualHost,
) -> None:
    """While the other one takes the events, RabbitMQ does not say that one is missing."""
    host.declare_as_rasa("other")
    deliver(host.section(queues="events"), 0)
    with host.channel() as person:
        person.queue_unbind("events", RASAS_EXCHANGE, "")
    deliver(host.section(queues="events"), 1)
    assert host.bodies("events") == [b'{"n":0}', b'{"n":1}']


def _received(consumer: Consumer, publish: Callable[[], None]) -> list[int]:
    """Return what a consumer gets, once it gets something."""
    found = in_background(consumer)
    while not found:
        publish()
    return found


def test_looking_on_and_groups_need_no_further_option(host: VirtualHost) -> None:
    """A section of Rasa 3 has an exchange: each gets every event, and takes none away."""
    section = host.section(queues=["events"])
    published: list[int] = []

    def publish() -> None:
        published.append(len(published))
        deliver(section, published[-1])

    with Consumer(endpoints.read(section), None, from_start=False) as looking_on:
        assert _received(looking_on, publish)
    with event_brokers.consume(section, group="reports") as reports:
        assert _received(reports, publish)
    assert host.bodies("events") == [b'{"n":%d}' % number for number in published]
