"""Settings say where events go, and what of them must never be shown."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest
from msgspec import Meta, field

from event_brokers import Options, Secret, SecretUrl, hookimpl
from event_brokers.delivery_options import DeliveryOptions
from event_brokers.plugins import Plugin
from event_brokers.settings import Settings
from event_brokers.testing import MemoryBroker


class PlaceOptions(Options, frozen=True, kw_only=True):
    """Options of a broker whose events go to a topic at a URL."""

    place: ClassVar[tuple[str, ...]] = ("url", "topic", "others", "from", "nowhere")

    topic: Annotated[str, Meta(description="where events go")] = "events"
    url: SecretUrl = SecretUrl("localhost")
    others: str | list[str] | None = None
    hosts: list[SecretUrl] | None = None
    sender: str | bool | None = field(name="from", default=None)
    nowhere: str | None = None
    password: Secret | None = None
    query: dict[str, str] | None = None


class PlacePlugin(MemoryBroker):
    """A plugin with these options."""

    @hookimpl
    def options(self) -> type[Options]:
        """Return the options class."""
        return PlaceOptions


def settings(**options: Any) -> Settings:
    """Return settings with these options."""
    plugin = Plugin("kafka", "place 1.0", PlacePlugin())
    return Settings(plugin, PlaceOptions(**options), DeliveryOptions())


def without_class(**options: Any) -> Settings:
    """Return settings of a plugin that has no options class."""
    return Settings(Plugin("redis", "r 1.0", MemoryBroker()), options, DeliveryOptions())


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({}, "type kafka, url localhost, topic events"),
        ({"password": Secret("canary"), "topic": "t"}, "type kafka, url localhost, topic t"),
        ({"url": SecretUrl("x://u:canary@h/v")}, "type kafka, url x://u:***@h/v, topic events"),
        ({"others": ["a", "b"]}, "type kafka, url localhost, topic events, others a,b"),
        ({"sender": True}, "type kafka, url localhost, topic events, from true"),
    ],
)  # fmt: skip
def test_a_place_is_what_the_options_class_names(options: dict[str, Any], place: str) -> None:
    """In the order it names them; what is not given is left out, and a secret never in it."""
    assert settings(**options).place() == place


def test_a_list_of_one_is_the_same_place() -> None:
    """`topic: x` and `topic: [x]` mean the same."""
    assert settings(others=["a"]).place() == settings(others="a").place()


def test_without_an_options_class_the_type_is_the_place() -> None:
    """Nobody knows which of its options say where events go, nor which are secrets."""
    assert without_class(url="redis://:canary@h").place() == "type redis"


def test_no_repr_shows_a_secret() -> None:
    """Neither of the settings nor of the options, whatever holds it and whoever described it."""
    given = settings(
        password=Secret("canary"), url=SecretUrl("x://u:canary@h"), query={"ssl_password": "canary"}
    )
    for shown in (repr(given), repr(given.options), repr(without_class(password="canary"))):
        assert "canary" not in shown
    assert repr(given.options).endswith("password=***, query={'ssl_password': '***'})")


def test_every_secret_is_found_that_must_be_masked() -> None:
    """By its type in an options class; by its name in a mapping, at any depth; and in URLs."""
    described = settings(
        password=Secret("one"), hosts=[SecretUrl("x://u:two@h")], query={"password": "three"}
    )
    assert set(described.secrets()) == {"one", "two", "three"}
    undescribed = without_class(
        password=7777,
        auth={"api_token": "five", "names": ["six", {"secret": ["seven"]}]},
        url="redis://:eight@h",
        needs_password=True,
        password_file="",
    )
    assert set(undescribed.secrets()) == {"7777", "five", "seven", "eight"}
