"""Each type that msgspec allows can be an option: it is read, described, and refused in words."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Optional, TypedDict

import pytest
from msgspec import Meta, defstruct, field

from event_brokers import ConfigurationError, Options, PluginError, Secret, SecretUrl, hookimpl
from event_brokers.endpoints import read_options
from event_brokers.options import describe
from event_brokers.plugins import Plugin
from event_brokers.section import from_mapping
from event_brokers.testing import MemoryBroker


class Colour(enum.Enum):
    """A choice as Python has it."""

    RED = "red"
    BLUE = "blue"


class Pair(TypedDict):
    """A mapping with names."""

    left: int


DESCRIBED = Meta(description="what it does")


def options_with(annotation: Any, **namespace: Any) -> Any:
    """Return an options class with one option, `value`."""
    return defstruct(
        "Made", [("value", annotation)], bases=(Options,), namespace=namespace, frozen=True,
        kw_only=True,
    )  # fmt: skip


def plugin_with(options_class: Any) -> Plugin:
    """Return a plugin whose options class that is."""

    class Made(MemoryBroker):
        @hookimpl
        def options(self) -> Any:
            return options_class

    return Plugin("made", "made 1.0", Made())


@pytest.mark.parametrize(
    ("annotation", "words", "good", "bad"),
    [
        (bool, "true or false", True, 1),
        (int, "a whole number", 5, "five"),
        (Annotated[int, Meta(ge=1)], "a whole number, 1 or more", 1, 0),
        (Annotated[int, Meta(le=5)], "a whole number, 5 or less", 5, 6),
        (Annotated[int, Meta(ge=1, le=5)], "a whole number from 1 to 5", "3", 6),
        (Annotated[int, Meta(gt=0)], "a whole number above 0", 1, 0),
        (Annotated[int, Meta(lt=5)], "a whole number below 5", 4, 5),
        (Annotated[float, Meta(gt=0, lt=1)], "a number above 0 and below 1", 0.5, 0),
        (Annotated[float, Meta(gt=0)], "a number above 0", 0.5, 0),
        (Annotated[float, Meta(ge=0.5, lt=2.0)], "a number, 0.5 or more and below 2", 0.5, 2),
        (Annotated[int, Meta(gt=0, le=9)], "a whole number above 0 and 9 or less", 9, 0),
        (Annotated[int, Meta(multiple_of=5)], "a whole number that is a multiple of 5", 10, 11),
        (Annotated[int, Meta(ge=5, le=9, multiple_of=5)],
         "a whole number from 5 to 9 that is a multiple of 5", 5, 6),
        (str, "text", "x", 1.5),
        (Annotated[str, Meta(min_length=1)], "text of 1 character or more", "x", 5),
        (Annotated[str, Meta(max_length=2)], "text of 2 characters or less", "xx", "xxx"),
        (Annotated[str, Meta(min_length=2, max_length=2)], "text of 2 characters", "xx", "x"),
        (Annotated[str, Meta(min_length=1, max_length=2)], "text of 1 to 2 characters", "x", 5),
        (Annotated[str, Meta(pattern="^a+$")], "text that matches ^a+$", "aa", "b"),
        (bytes, "base64 text", "eA==", 5),
        (Literal["A", "B"], "one of A, B", "a", "c"),
        (Literal[1, 2], "one of 1, 2", 1, 3),
        (Colour, "one of red, blue", "RED", "green"),
        (Secret, "text (secret)", "x", 5.0),
        (SecretUrl, "text", "x", 5),
        (list[str], "a list of text", ["x"], "x"),
        (Annotated[list[str], Meta(min_length=1)], "a list of text, 1 or more of them", ["x"], []),
        (Annotated[list[int], Meta(min_length=1, max_length=2)],
         "a list of a whole number, 1 to 2 of them", [1], [1, 2, 3]),
        (list[Annotated[str, Meta(min_length=1)]], "a list of text of 1 character or more",
         ["x"], [""]),
        (list[Secret], "a list of text (secret)", ["x"], [True]),
        (set[int], "a list of a whole number", [1], ["x"]),
        (tuple[str, ...], "a list of text", ["x"], [1]),
        (tuple[str, int], "a list of text, a whole number, in this order", ["x", 1], [1, "x"]),
        (dict[str, int], "a mapping of text to a whole number", {"a": 1}, {"a": "x"}),
        (Annotated[dict[str, str], Meta(max_length=1)],
         "a mapping of text to text, 1 or less of them", {"a": "b"}, {"a": "b", "c": "d"}),
        (Pair, "a mapping", {"left": 1}, {"right": 1}),
        (str | list[str], "text or a list of text", ["x"], 5),
        (int | bool, "a whole number or true or false", True, "x"),
        (datetime.datetime, "a date and time", "2024-02-03T04:05:06Z", "today"),
        (datetime.date, "a date", datetime.date(2024, 2, 3), "today"),
        (datetime.timedelta, "a duration, such as PT5S", "PT5S", "long"),
        (uuid.UUID, "a UUID", "6f1e5a5c-0000-7000-8000-000000000000", "x"),
        (decimal.Decimal, "a decimal number", "1.5", "x"),
        (pathlib.Path, "a Path, which Python alone can give", pathlib.Path("x"), "x"),
        (Any, "anything", {"a": 1}, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("optional", [False, True], ids=["", "or None"])
def test_each_type_is_read_described_and_refused_in_words(
    annotation: Any, words: str, good: Any, bad: Any, optional: bool
) -> None:
    """With every bound that it has; the same where it may also be left out."""
    wanted = Optional[annotation] if optional else annotation  # noqa: UP045 - a type made here
    options_class = options_with(Annotated[wanted, DESCRIBED])
    assert plugin_with(options_class).options_class == options_class
    described = describe(options_class)[0]
    assert (described.type, described.text) == (words, "what it does")
    read_options(from_mapping({"value": good}), options_class)
    if bad is not None:
        with pytest.raises(ConfigurationError) as caught:
            read_options(from_mapping({"value": bad}), options_class)
        assert str(caught.value).startswith("event_broker.value: ")
        assert f" is not {words}" in str(caught.value)


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[int, Meta(ge=1, description="what it does")],
        Annotated[int, Meta(ge=1), DESCRIBED],
        Annotated[int, DESCRIBED, Meta(ge=1)],
        Annotated[Annotated[int, DESCRIBED], Meta(ge=1)],
        Annotated[Annotated[int, Meta(ge=1)], DESCRIBED],
        Annotated[int, "a note", DESCRIBED, Meta(ge=1)],
        Annotated[Annotated[int, Meta(ge=1)] | None, DESCRIBED],
        Annotated[int, Meta(ge=1), DESCRIBED] | None,
        Annotated[int, DESCRIBED, Meta(ge=1)] | None,
        None | Annotated[int, Meta(ge=1, description="what it does")],
        Annotated[Annotated[int, Meta(ge=1)] | None, Meta(title="a title"), DESCRIBED],
        Annotated[Annotated[int, DESCRIBED, Meta(ge=1)] | None, Meta(title="a title")],
    ],
)
def test_no_order_of_annotated_loses_a_description_or_a_bound(annotation: Any) -> None:
    """Inside of the type that may be None, or around it; before its bounds, or behind them."""
    described = describe(options_with(annotation))[0]
    assert (described.type, described.text) == ("a whole number, 1 or more", "what it does")


def test_an_option_may_have_a_name_that_python_keeps_for_itself() -> None:
    """`from` in YAML, and another name in Python."""

    class Named(Options, frozen=True, kw_only=True, rename="kebab"):
        sender: str = field(name="from")
        max_size: int = 1

    read = read_options(from_mapping({"from": "x", "max-size": 2}), Named)
    assert (read.sender, read.max_size) == ("x", 2)
    assert [option.name for option in describe(Named)] == ["from", "max-size"]


@pytest.mark.parametrize(
    ("default", "shown"),
    [
        (None, ""), (True, "true"), (5, "5"), ("x", "x"), (Secret("x"), "***"),
        (("a", "b"), "a, b"), (Colour.RED, "red"), ({"password": "x"}, "{'password': '***'}"),
    ],
)  # fmt: skip
def test_a_default_is_shown_as_written_in_yaml(default: Any, shown: str) -> None:
    """And a secret in it is not."""
    made: Any = defstruct("Made", [("value", Any, field(default_factory=lambda: default))],
                          bases=(Options,), frozen=True, kw_only=True)  # fmt: skip
    assert describe(made)[0].default == shown


class Faulty(Exception):
    """Raised by what a plugin's author wrote."""


def fail() -> Any:
    """Raise as a default's factory can."""
    raise Faulty("no default\nto be had")


INSIDE = "; write the bounds inside: Annotated[int, Meta(ge=1)] | None"


@pytest.mark.parametrize(
    ("options_class", "expected"),
    [
        (options_with(Annotated[int | None, Meta(ge=1)]),
         f"option 'value': can only set `ge` on a numeric type{INSIDE}"),
        (options_with(Annotated[str | list[str], Meta(min_length=1)]),
         "option 'value': can only set `min_length` on a str, bytes, or collection type; write"),
        (options_with(Secret | str), "option 'value': type unions containing a custom type may"),
        (options_with("Nowhere"), "its types cannot be read: NameError: name 'Nowhere'"),
        (defstruct("Made", [("value", int, field(default_factory=fail))], bases=(Options,),
                   frozen=True, kw_only=True),
         "option 'value': its default cannot be made: Faulty: no default"),
        (options_with(int, synonyms={"size": "valeu"}),
         "synonyms: 'size': no option 'valeu'; did you mean 'value'?"),
        (options_with(int, synonyms=5), "AttributeError: "),
        (options_with(int, place=("valeu",)), "place: no option 'valeu'; did you mean 'value'?"),
        (options_with(int, place="value"), "place: no option 'v'"),
        (options_with(int, may_be_empty=("valeu",)),
         "may_be_empty and refuses_empty: no option 'valeu'; did you mean 'value'?"),
        (options_with(int, refuses_empty={"valeu": None}),
         "may_be_empty and refuses_empty: no option 'valeu'; did you mean 'value'?"),
        (options_with(Secret | None, place=("value",)), "place: 'value' is a secret; take it out"),
        (options_with(list[Secret], place=("value",)), "place: 'value' is a secret; take it out"),
    ],
)  # fmt: skip
def test_a_class_that_cannot_be_used_is_refused_with_what_to_change(
    options_class: Any, expected: str
) -> None:
    """By the name of the option, before anybody's YAML is read with it."""
    with pytest.raises(PluginError) as caught:
        plugin_with(options_class)
    said = f"the plugin 'made' of made 1.0: options class Made: {expected}"
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_url_may_be_a_place_although_it_may_hold_a_secret() -> None:
    """It is shown without it."""
    assert plugin_with(options_with(SecretUrl | None, place=("value",))).has("options")


class WithSynonyms(Options, frozen=True, kw_only=True):
    """Sound in all that it says of itself."""

    synonyms: ClassVar[Mapping[str, str]] = {"size": "value"}
    place: ClassVar[tuple[str, ...]] = ("value",)
    value: int = 1


def test_a_sound_class_stays_as_it_is() -> None:
    """With synonyms and a place."""
    assert plugin_with(WithSynonyms).options_class is WithSynonyms


class Login(Options, frozen=True, kw_only=True):
    """Options that say of each what empty text means."""

    synonyms: ClassVar[Mapping[str, str]] = {"pass": "password"}
    may_be_empty: ClassVar[tuple[str, ...]] = ("prefix",)
    refuses_empty: ClassVar[Mapping[str, str | None]] = {"password": "user", "mode": None}

    user: str | None = None
    password: Secret | None = None
    mode: str = "strict"
    prefix: str = "events"
    colours: list[Secret] | None = None

    def warnings(self) -> list[str]:
        """Return one of an option, and one of all."""
        about_all = ["the login is not used"] if self.mode == "open" else []
        return [*(["password: is not used"] if self.mode == "open" and self.password else []),
                *about_all]  # fmt: skip


@pytest.mark.parametrize(
    ("section", "wanted"),
    [
        ({"user": "", "password": ""}, {}),
        ({"user": "", "password": "p"}, {"password": Secret("p")}),
        ({"user": "u"}, {"user": "u"}),
        ({"prefix": ""}, {"prefix": ""}),
        ({"pass": "", "password": "p"}, {"password": Secret("p")}),
        ({"password": 10**30}, {"password": Secret("1" + "0" * 30)}),
        ({"colours": [1, "2"]}, {"colours": [Secret("1"), Secret("2")]}),
    ],
)
def test_empty_text_and_numbers_mean_what_the_class_says(
    section: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """Not given, a value of its own, or the digits of a secret."""
    assert read_options(from_mapping(section), Login) == Login(**wanted)


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"user": "u", "pass": ""}, "pass: is empty, and 'user' is given; give both or none"),
        ({"mode": ""}, "mode: is empty; give it a value, or take it out"),
        ({"password": 1.5}, "password: the value is not text (secret); put it in quotes"),
        ({"password": False}, "password: the value is not text (secret); put it in quotes"),
        ({"colours": [None]}, "colours: the value is not a list of text (secret)"),
        ({"password": 10**5000}, "password: the value is not text (secret); put it in quotes"),
    ],
)
def test_empty_text_that_a_class_refuses_is_named(section: dict[str, Any], sentence: str) -> None:
    """By the name that was written, and no secret is shown."""
    with pytest.raises(ConfigurationError) as caught:
        read_options(from_mapping(section), Login)
    assert str(caught.value) == f"event_broker.{sentence}"


def test_warnings_of_a_class_are_logged_where_the_option_stands(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Under the name that was written; one about no option is about the section."""
    read_options(from_mapping({"mode": "open", "pass": "p"}), Login)
    assert caplog.messages == [
        "event_broker.pass: is not used", "event_broker: the login is not used",
    ]  # fmt: skip
