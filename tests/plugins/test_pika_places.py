"""Where events go in RabbitMQ: what is made, what is never made, and what has gone since."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from pika.exceptions import ChannelClosedByBroker

import event_brokers
from command import Commands
from consuming import in_background
from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Consumer,
    EventBroker,
    Secret,
    endpoints,
)
from event_brokers.plugin import DEFAULT_GROUP
from event_brokers_pika.consumer import consume
from event_brokers_pika.failures import translate
from event_brokers_pika.hooks import check
from event_brokers_pika.server import find_server
from event_brokers_pika.session import open_session
from pika_plugin import (
    an_event,
    channel,
    connect,
    connected,
    exists,
    ids,
    plain,
    producer,
    stored,
    what_is_wrong,
)  # fmt: skip
from servers import RabbitMQ
from waiting import wait_until

pytestmark = pytest.mark.xdist_group("rabbitmq")

QUORUM = {"x-queue-type": "quorum"}
# what is deleted, and whether there is an exchange
LOST = [
    pytest.param(("queue", False), id="queue"),
    pytest.param(("queue", True), id="queue behind an exchange"),
    pytest.param(("exchange", True), id="exchange"),
]


@pytest.fixture
def name(rabbitmq: RabbitMQ) -> Iterator[str]:
    """Return the name of a queue, and of an exchange, that nobody else uses."""
    name = f"place-{uuid4()}"
    yield name
    with channel(rabbitmq) as opened:
        opened.queue_delete(name)
        opened.exchange_delete(name)


def make_queue(server: RabbitMQ, name: str, arguments: dict[str, Any] | None = None) -> None:
    """Make a durable queue with the plain client."""
    with channel(server) as opened:
        opened.queue_declare(name, durable=True, arguments=arguments)


def delete(server: RabbitMQ, kind: str, name: str) -> None:
    """Delete a queue or an exchange as an administrator does."""
    with channel(server) as opened:
        (opened.queue_delete if kind == "queue" else opened.exchange_delete)(name)


def gone(server: RabbitMQ, kind: str, name: str) -> str:
    """Return the sentence about a place that was used before and is missing now."""
    option = {"queue": "queue", "exchange": "exchange_name"}[kind]
    return (
        f"event_broker.{option}: the {kind} '{name}' was used before and is gone from "
        f"'{server.host}:{server.port}'; a new one is not made, for the old one may be on a node "
        "that is cut off, and what a new one holds would be lost then; make it again with its old "
        "arguments, or, if it was deleted on purpose, forget it: event-brokers spool "
        "forget-places, or a restart where there is no spool"
    )


def section(server: RabbitMQ, name: str, **given: Any) -> dict[str, Any]:
    """Return the section of a queue."""
    return {
        "type": "pika", "url": server.host, "port": server.port, "queue": name,
        "username": server.username, "password": server.password, **given,
    }  # fmt: skip


@contextmanager
def halted(broker: EventBroker) -> Iterator[Callable[[], str]]:
    """Publish an event, wait until delivery halts over it, and hand out how to ask why."""
    broker.publish({"number": 1})
    wait_until(lambda: broker.status().state == "halted")
    yield lambda: broker.status().last_error or ""


def test_without_declare_nothing_is_made(rabbitmq: RabbitMQ, name: str) -> None:
    """Whoever turns it off decides about every queue and exchange, at `connect` as at `check`."""
    options = plain(rabbitmq, name, declare=False)
    server = f"'127.0.0.1:{rabbitmq.port}'"
    wanted = (
        f"event_broker.queue: {server} has no queue '{name}', and declare is false; "
        "make it there, or take declare: false out"
    )
    assert what_is_wrong(lambda: connect(options), ConfigurationError) == wanted
    assert what_is_wrong(lambda: check(options), ConfigurationError) == wanted
    make_queue(rabbitmq, name)
    options = plain(rabbitmq, name, exchange_name=name, declare=False)
    wanted = (
        f"event_broker.exchange_name: {server} has no exchange '{name}', and declare is false; "
        "make it there, or take declare: false out"
    )
    assert what_is_wrong(lambda: connect(options), ConfigurationError) == wanted
    assert what_is_wrong(lambda: check(options), ConfigurationError) == wanted
    assert not exists(rabbitmq, "exchange", name)


def test_without_declare_delivery_begins_when_the_queue_is_made(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """Events wait until somebody has made it; then they are delivered without a restart."""
    with producer(rabbitmq, name, declare=False) as broker:
        with halted(broker) as why:
            assert "and declare is false" in why()
            assert not exists(rabbitmq, "queue", name)
            make_queue(rabbitmq, name, QUORUM)
        assert broker.flush(60).delivered == 1


def test_without_declare_what_exists_is_published_into(rabbitmq: RabbitMQ, name: str) -> None:
    """Neither queue, exchange nor binding is touched; the user needs no right to make them."""
    with channel(rabbitmq) as made:
        made.queue_declare(name, durable=True, arguments=QUORUM)
        made.exchange_declare(name, "fanout")
        made.queue_bind(name, name, "")
    for given in ({}, {"exchange_name": name}):
        with connected(plain(rabbitmq, name, declare=False, **given)) as opened:
            opened.publish([an_event()])
        assert len(stored(rabbitmq, name, 1)) == 1


def test_without_declare_an_exchange_that_leads_nowhere_is_said(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """An event that no queue takes is not delivered, and waiting alone does not bind one."""
    with channel(rabbitmq) as made:
        made.queue_declare(name, durable=True)
        made.exchange_declare(name, "fanout", durable=True)
    with producer(rabbitmq, name, exchange_name=name, declare=False) as broker:
        with halted(broker) as why:
            assert why() == (
                f"event_broker.exchange_name: no queue is bound to '{name}', and declare is "
                "false; bind one there, or take declare: false out"
            )
            with channel(rabbitmq) as bound:
                bound.queue_bind(name, name, "")
        assert broker.flush(60).delivered == 1


def test_looking_on_makes_nothing_either_without_declare(rabbitmq: RabbitMQ, name: str) -> None:
    """`tail` would need a queue of its own."""
    settings = endpoints.read(section(rabbitmq, name, exchange_name=name, declare=False))
    with (
        Consumer(settings, None, from_start=False) as consumer,
        pytest.raises(ConfigurationError, match=r"event_broker\.declare: is false, and looking on"),
    ):
        next(consumer)


def test_a_group_makes_nothing_either_without_declare(rabbitmq: RabbitMQ, name: str) -> None:
    """Its queue is somebody else's to make."""
    with (
        event_brokers.consume(section(rabbitmq, name, declare=False)) as consumer,
        pytest.raises(ConfigurationError, match="and declare is false"),
    ):
        next(consumer)
    assert not exists(rabbitmq, "queue", name)


def queue_as_it_is(server: RabbitMQ, name: str) -> tuple[str, str]:
    """Return type and arguments of a queue."""
    listed = server.control("list_queues", "name", "type", "arguments").splitlines()
    [found] = [line.split("\t") for line in listed if line.startswith(f"{name}\t")]
    return found[1].removeprefix("rabbit_").removesuffix("_queue"), found[2]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_what_is_made_is_made_as_asked_for(rabbitmq: RabbitMQ, name: str, kind: str) -> None:
    """`queue_type` and `queue_arguments` hold for queues of consumers, too."""
    given: dict[str, Any] = {
        "queue_type": kind,
        "queue_arguments": {"x-max-length": 1000, "x-overflow": "reject-publish"},
    }
    with connected(plain(rabbitmq, name, **given)) as opened:
        opened.publish([an_event()])
    found, arguments = queue_as_it_is(rabbitmq, name)
    assert found == kind
    assert '{"x-max-length",1000}' in arguments
    assert '{"x-overflow","reject-publish"}' in arguments
    group = f"{name}-group"
    with event_brokers.consume(
        section(rabbitmq, name, exchange_name=f"{name}-x", **given), group=group
    ) as consumer:
        in_background(consumer)
        wait_until(lambda: exists(rabbitmq, "queue", group))
    assert queue_as_it_is(rabbitmq, group) == (found, arguments)
    delete(rabbitmq, "queue", group)


def test_arguments_that_rabbitmq_does_not_take_are_named(rabbitmq: RabbitMQ, name: str) -> None:
    """The sentence leads to the option that is wrong."""
    options = plain(rabbitmq, name, queue_arguments={"x-max-length": "many"})
    sentence = what_is_wrong(lambda: connect(options), ConfigurationError)
    assert sentence.startswith(
        f"event_broker.queue_arguments: '127.0.0.1:{rabbitmq.port}' refuses them ("
    )
    assert "invalid arg 'x-max-length'" in sentence
    assert sentence.endswith("; change them")


def test_what_was_used_is_known_by_its_confirm(rabbitmq: RabbitMQ, name: str) -> None:
    """A place counts as used when an event was confirmed there, and not before."""
    used: set[str] = set()
    with connected(plain(rabbitmq, name), used) as opened:
        assert used == set()
        opened.publish([an_event()])
        assert used == {f"queue '{name}'"}
    with connected(plain(rabbitmq, [name, f"{name}-2"], exchange_name=name), used) as opened:
        opened.publish([an_event()])
    assert used == {f"queue '{name}'", f"queue '{name}-2'", f"exchange '{name}'"}
    delete(rabbitmq, "queue", f"{name}-2")


@pytest.mark.parametrize("exchange", [False, True], ids=["default exchange", "fanout"])
def test_a_queue_into_which_nothing_went_may_be_made_again(
    rabbitmq: RabbitMQ, name: str, exchange: bool
) -> None:
    """Where nothing was confirmed there is nothing to lose."""
    options = plain(rabbitmq, name, exchange_name=name if exchange else None)
    used: set[str] = set()
    with connected(options, used):
        pass
    delete(rabbitmq, "queue", name)
    with connected(options, used) as opened:
        opened.publish([an_event()])
    assert len(stored(rabbitmq, name, 1)) == 1


@pytest.mark.parametrize("lost", LOST)
def test_what_was_used_and_is_gone_is_never_made_anew(
    rabbitmq: RabbitMQ, name: str, lost: tuple[str, bool]
) -> None:
    """Not by any later connection: it may be on a node that is cut off."""
    kind, exchange = lost
    options = plain(rabbitmq, name, exchange_name=name if exchange else None)
    used: set[str] = set()
    with connected(options, used) as opened:
        opened.publish([an_event()])
    delete(rabbitmq, kind, name)
    for _ in range(2):
        sentence = what_is_wrong(lambda: connect(options, used), ConfigurationError)
        assert sentence == gone(rabbitmq, kind, name)
        assert not exists(rabbitmq, kind, name)
    with connected(options, set()) as opened:
        opened.publish([an_event(1)])
    assert len(stored(rabbitmq, name, 1)) >= 1


def test_nothing_at_all_is_made_where_one_place_is_gone(rabbitmq: RabbitMQ, name: str) -> None:
    """A second queue is not made beside an exchange that may be elsewhere."""
    options = plain(rabbitmq, [name, f"{name}-2"], exchange_name=name)
    what_is_wrong(lambda: connect(options, {f"exchange '{name}'"}), ConfigurationError)
    assert not exists(rabbitmq, "queue", name)
    assert not exists(rabbitmq, "queue", f"{name}-2")


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("connected_meanwhile", [True, False])
def test_events_wait_for_the_place_that_is_gone_and_go_on_once_it_is_back(
    rabbitmq: RabbitMQ,
    name: str,
    lost: tuple[str, bool],
    connected_meanwhile: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Halted with one loud line, nothing made, nothing lost, and no restart is needed."""
    kind, exchange = lost
    with producer(rabbitmq, name, exchange_name=name if exchange else None) as broker:
        published = [broker.publish({"number": 0})]
        assert broker.flush(30).delivered == 1
        first = ids(stored(rabbitmq, name, 1))
        delete(rabbitmq, kind, name)
        if not connected_meanwhile:
            rabbitmq.control("close_all_connections", "maintenance")
        published += broker.publish_many({"number": number} for number in range(1, 50))
        wait_until(lambda: broker.status().state == "halted")
        status = broker.status()
        assert status.last_error == gone(rabbitmq, kind, name)
        assert (status.pending, status.dead_letters) == (49, 0)
        assert not exists(rabbitmq, kind, name)
        with channel(rabbitmq) as person:
            if kind == "queue":
                person.queue_declare(name, durable=True, arguments=QUORUM)
            else:
                person.exchange_declare(name, "fanout", durable=True)
        assert broker.flush(60).delivered == 50
    assert first + ids(stored(rabbitmq, name, 49)) == published
    loud = [record.name for record in caplog.records if record.levelno == logging.ERROR]
    assert loud.count("event_brokers") == 1


def test_a_spool_knows_in_the_next_program_what_was_used(
    rabbitmq: RabbitMQ, name: str, commands: Commands
) -> None:
    """A queue that was deleted between two programs is made anew once a person forgets it."""
    spool = commands.folder / "waiting"
    commands.broker(section(rabbitmq, name, delivery={"spool": str(spool)}))
    endpoints_file = commands.folder / "endpoints.yml"
    with event_brokers.connect(endpoints_file) as broker:
        broker.publish({"number": 0})
        assert broker.flush(30).delivered == 1
    delete(rabbitmq, "queue", name)
    with event_brokers.connect(endpoints_file) as broker:
        with halted(broker) as why:
            assert why() == gone(rabbitmq, "queue", name)
            assert not exists(rabbitmq, "queue", name)
            assert commands.run("spool", "forget-places").code == 0
        assert broker.flush(60).delivered == 2
    assert len(stored(rabbitmq, name, 1)) == 1


def test_a_queue_whose_node_is_down_is_not_missing(rabbitmq: RabbitMQ) -> None:
    """RabbitMQ says 404 of it, too; it comes back with its node, and nobody has to do anything."""
    server = find_server(plain(rabbitmq, "q"))
    answer = "NOT_FOUND - home node 'a@b' of durable queue 'q' in vhost '/' is down or inaccessible"
    error = translate(ChannelClosedByBroker(404, answer), server)
    assert type(error) is BrokerUnavailable
    assert str(error) == f"127.0.0.1:{rabbitmq.port} answered {answer}"


def test_a_stream_is_published_to_and_not_consumed(rabbitmq: RabbitMQ, name: str) -> None:
    """Nobody keeps a position in it yet: a consumer would skip what came while it was away."""
    make_queue(rabbitmq, name, {"x-queue-type": "stream", "x-max-length-bytes": 1_000_000})
    with connected(plain(rabbitmq, name)) as opened:
        opened.publish([an_event(number) for number in range(3)])
    wait_until(lambda: f"{name}\t3" in rabbitmq.control("list_queues", "name", "messages"))
    with (
        event_brokers.consume(section(rabbitmq, name)) as consumer,
        pytest.raises(ConfigurationError) as caught,
    ):
        next(consumer)
    assert str(caught.value) == (
        f"event_broker.queue: '{name}' is a stream, and no position in a stream is kept yet; "
        "consume from a classic or quorum queue that is bound beside it, or with a client for "
        "streams"
    )


@pytest.mark.parametrize(
    ("arguments", "is_stream"),
    [
        (None, False),
        ({"x-queue-type": "classic", "x-max-length": 9}, False),
        (QUORUM, False),
        ({"x-queue-type": "stream"}, True),
        ({"x-queue-type": "stream", "x-max-age": "7D", "x-max-length-bytes": 1_000_000}, True),
    ],
)
def test_a_stream_is_told_from_a_queue_by_whoever_may_read_it(
    rabbitmq: RabbitMQ, name: str, arguments: dict[str, Any] | None, is_stream: bool
) -> None:
    """No other right is needed, and nothing is taken from the queue on the way."""
    make_queue(rabbitmq, name, arguments)
    with connected(plain(rabbitmq, name)) as opened:
        opened.publish([an_event()])
    rabbitmq.control("add_user", "reader", "reader-secret")
    rabbitmq.control("set_permissions", "reader", "", "", ".*")
    reader = plain(rabbitmq, name, username="reader", password=Secret("reader-secret"))
    try:
        with open_session(reader) as session:
            assert session.is_stream(name) is is_stream
    finally:
        rabbitmq.control("delete_user", "reader")
    if not is_stream:
        [(method, _, _)] = stored(rabbitmq, name, 1)
        assert not method.redelivered


def test_a_queue_that_is_deleted_under_its_consumer_ends_it(rabbitmq: RabbitMQ, name: str) -> None:
    """It is not made again behind the back of whoever deleted it, or of the rest of a cluster."""
    make_queue(rabbitmq, name)

    def delete_under_its_consumer() -> None:
        wait_until(lambda: f"{name}\t1" in rabbitmq.control("list_queues", "name", "consumers"))
        delete(rabbitmq, "queue", name)

    person = threading.Thread(target=delete_under_its_consumer)
    with event_brokers.consume(section(rabbitmq, name)) as consumer:
        person.start()
        with pytest.raises(ConfigurationError) as caught:
            next(consumer)
    person.join()
    assert str(caught.value) == gone(rabbitmq, "queue", name)
    assert not exists(rabbitmq, "queue", name)


def test_a_consumer_that_comes_back_makes_no_queue_anew(rabbitmq: RabbitMQ, name: str) -> None:
    """The old one may be on a node that is cut off, and a publisher would take this one for it."""
    options = plain(rabbitmq, name)
    used: set[str] = set()
    received = consume(options, DEFAULT_GROUP, False, used)
    assert next(received) is None
    wait_until(lambda: next(received) is None and used)
    received.close()
    delete(rabbitmq, "queue", name)
    with pytest.raises(ConfigurationError) as caught:
        wait_until(lambda: next(consume(options, DEFAULT_GROUP, False, used)))
    assert str(caught.value) == gone(rabbitmq, "queue", name)
    assert not exists(rabbitmq, "queue", name)
