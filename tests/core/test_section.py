"""Whatever stands in a file, reading it takes no time to speak of, and a mistake is a sentence."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import ConfigurationError, endpoints, nesting
from event_brokers.nesting import MOST_LEVELS, MOST_VALUES
from event_brokers.section import Section, from_file, from_literals, from_mapping
from event_brokers.small_file import MOST_BYTES

MULTIPLYING = "\n".join(
    ["x0: &x0 [a, b, c, d, e, f, g, h, i]"]
    + [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 10)]
)
MULTIPLYING_MAPPINGS = "\n".join(
    ["x0: &x0 {a: 1}"]
    + [
        f"x{n}: &x{n} {{{', '.join(f'k{key}: *x{n - 1}' for key in range(9))}}}"
        for n in range(1, 10)
    ]
)
MULTIPLYING_MERGES = "\n".join(
    ["x0: &x0 {a: 1}"]
    + [f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 9)}]}}" for n in range(1, 10)]
)


TOO_MANY = "endpoints.yml: holds more than 10,000 values; take some out"
TOO_DEEP = "endpoints.yml: is nested more than 100 deep; make it flat"


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Section]:
    """Return what reads a text as an endpoints.yml."""

    def read(text: str) -> Section:
        (tmp_path / "endpoints.yml").write_text(text, encoding="utf-8")
        return from_file(tmp_path / "endpoints.yml")

    return read


def refusal(read: Callable[[Any], object], given: Any) -> str:
    """Return the sentence with which something is refused, without the folder's name."""
    with pytest.raises(ConfigurationError) as caught:
        read(given)
    return str(caught.value).rpartition("/")[2]


def test_merge_keys_and_aliases_work_as_in_files_of_rasa(read: Callable[[str], Section]) -> None:
    """What is written once can stand in several sections; a value of its own goes first."""
    read_section = read(
        """
defaults: &defaults
  url: localhost
  port: 1
  tls: &tls {ca: ca.pem}
event_broker:
  <<: *defaults
  port: 2
  other: *tls
"""
    )
    assert read_section.values == {
        "url": "localhost",
        "port": 2,
        "tls": {"ca": "ca.pem"},
        "other": {"ca": "ca.pem"},
    }


@pytest.mark.parametrize(
    "text", [MULTIPLYING, MULTIPLYING_MAPPINGS, MULTIPLYING_MERGES], ids=["lists", "maps", "merges"]
)
@pytest.mark.parametrize("option", ["a: *x9", "a: [{b: *x9}]", "<<: *x9"])
def test_aliases_that_multiply_are_refused(
    read: Callable[[str], Section], text: str, option: str
) -> None:
    """Each is counted as often as it stands for something, before anything is built of it."""
    name = "<<" if "<<" in option else "a"
    assert refusal(read, f"{text}\nevent_broker:\n  {option}\n") == (
        f"endpoints.yml:12: event_broker.{name}: "
        "there are more than 10,000 values, repeated ones counted; give fewer"
    )


def test_aliases_that_multiply_elsewhere_harm_nobody(read: Callable[[str], Section]) -> None:
    """Other sections are left alone."""
    assert read(f"{MULTIPLYING}\nevent_broker: {{type: sql}}\n").values == {"type": "sql"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("event_broker: &e\n  a: *e\n", "endpoints.yml:2: event_broker.a"),
        ("event_broker:\n  a: &a [1, *a]\n", "endpoints.yml:2: event_broker.a"),
        ("event_broker:\n  a: &a {b: [{c: *a}]}\n", "endpoints.yml:2: event_broker.a"),
        ("x: &x {y: *x}\nevent_broker:\n  a: *x\n", "endpoints.yml:3: event_broker.a"),
        ("event_broker:\n  a: &a {<<: *a}\n", "endpoints.yml:2: event_broker.a"),
        ("event_broker: &e\n  <<: *e\n", "endpoints.yml:2: event_broker.<<"),
        ("event_broker:\n  ? &a [*a]\n  : 1\n", "endpoints.yml:2: event_broker"),
    ],
    ids=["section", "list", "mapping", "elsewhere", "merge", "merged section", "key"],
)
def test_an_alias_to_itself_is_a_sentence(
    read: Callable[[str], Section], text: str, place: str
) -> None:
    """Wherever it stands; never a RecursionError."""
    assert refusal(read, text) == f"{place}: contains itself; take that part out"


def test_aliases_in_a_chain_are_as_deep_as_what_they_stand_for(
    read: Callable[[str], Section],
) -> None:
    """A file that is flat as it is written can be deep all the same."""
    chain = "\n".join(f"x{n}: &x{n} [{f'*x{n - 1}' if n else 1}]" for n in range(2000))
    assert refusal(read, f"{chain}\nevent_broker:\n  a: *x1999\n") == (
        "endpoints.yml:2002: event_broker.a: is nested more than 100 deep; make it flat"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#" * MOST_BYTES + "\na: b\n", "endpoints.yml: larger than 1,000,000 bytes"),
        ("a: [" + "b," * 200_000 + "]", TOO_MANY),
        ("".join(f"k{n}: v\n" for n in range(6000)),
         TOO_MANY),
        ("[" * 900_000, TOO_DEEP),
        ("- " * 400_000, TOO_DEEP),
        ("a: " + "{b: " * 101 + "}" * 101,
         TOO_DEEP),
    ],
    ids=["bytes", "list", "sections", "brackets", "dashes", "mappings"],
)  # fmt: skip
def test_a_file_that_nobody_wrote_by_hand_is_refused(
    read: Callable[[str], Section], text: str, expected: str
) -> None:
    """At its first megabyte, ten thousandth value or hundredth level, whatever follows."""
    assert refusal(read, text) == expected


def test_a_file_without_an_end_is_refused() -> None:
    """No more of it is read than may be there."""
    assert refusal(from_file, "/dev/zero") == "zero: larger than 1,000,000 bytes"


def test_a_file_at_the_limits_is_read(read: Callable[[str], Section]) -> None:
    """A megabyte, ten thousand values, a hundred levels."""
    filling = "# " + "x" * 900_000
    deep = "[" * (MOST_LEVELS - 3) + "]" * (MOST_LEVELS - 3)
    many = ", ".join(["v"] * (MOST_VALUES - 2 * MOST_LEVELS))
    found = read(f"{filling}\nevent_broker:\n  deep: {deep}\n  many: [{many}]\n")
    assert len(found.values["many"]) == MOST_VALUES - 2 * MOST_LEVELS


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            ["type: sql", r'"a\nb": ${UNSET_VARIABLE}'],
            r":3: event_broker.a\nb: the environment variable UNSET_VARIABLE is not set",
        ),
        (
            [r'"a\nb": 1', r'"a\nb": 2'],
            r":3: event_broker.a\nb: given twice, first in line 2; remove one",
        ),
        (["type: sql", r'"a\nb": 1'], r":3: event_broker.a\nb: unknown option of 'sql'"),
        ([r'type: "a\nb"'], r":2: event_broker.type: no plugin serves 'a\nb'"),
    ],
)
def test_no_text_of_a_file_forges_a_line_of_a_sentence(
    tmp_path: Path, lines: list[str], sentence: str
) -> None:
    """A key may be any text, and so may a value that is named."""
    file = tmp_path / "endpoints.yml"
    file.write_text("".join(f"{line}\n" for line in ["event_broker:", *(f"  {x}" for x in lines)]))
    with pytest.raises(ConfigurationError) as caught:
        endpoints.read(file)
    assert str(caught.value).startswith(f"{file}{sentence}")


@pytest.mark.parametrize("read_mapping", [from_mapping, from_literals])
def test_a_mapping_that_contains_itself_is_a_sentence(
    read_mapping: Callable[[Any], Section],
) -> None:
    """Also one that was made in Python, and what is shared without a circle is none."""
    shared = [1]
    whole: dict[str, Any] = {"fine": [shared, shared], "query": {"list": []}}
    whole["query"]["list"].append(whole["query"])
    assert refusal(read_mapping, whole) == (
        "event_broker.query: contains itself; take that part out"
    )
    assert refusal(read_mapping, {"delivery": whole}).startswith("event_broker.delivery: contains")
    itself: dict[str, Any] = {}
    itself["type"] = itself
    assert refusal(read_mapping, itself).startswith("event_broker.type: contains itself")
    assert read_mapping({"fine": [shared, shared]}).values == {"fine": [[1], [1]]}


@pytest.mark.parametrize("read_mapping", [from_mapping, from_literals])
def test_a_mapping_that_multiplies_is_a_sentence(read_mapping: Callable[[Any], Section]) -> None:
    """Counted as often as its parts are repeated, and as deep as they stand."""
    value: list[Any] = ["x"]
    for _ in range(60):
        value = [value, value]
    assert "there are more than 10,000 values" in refusal(read_mapping, {"a": value})
    for _ in range(MOST_LEVELS):
        value = [value]
    deep: Any = 1
    for _ in range(5000):
        deep = (deep,)
    assert "is nested more than 100 deep" in refusal(read_mapping, {"a": deep})


def test_what_is_made_anew_at_each_look_ends_too() -> None:
    """The count does not rely on a value being the same each time."""

    def parts(_value: object) -> list[object]:
        return [object(), object()]

    found = nesting.excess([("a", object())], parts)
    assert found is not None
    assert found[0] == "a"


@pytest.mark.parametrize(
    "text",
    [
        "event_broker:\n  password: *canary\n",
        "event_broker:\n  password: !canary\n",
        "event_broker:\n  password: !canary!x y\n",
        "event_broker:\n  password: !!int canary\n",
        "event_broker:\n  password: !!float canary\n",
        "event_broker:\n  password: !!bool canary\n",
        "event_broker:\n  password: !!timestamp canary\n",
        "event_broker:\n  password: !!binary canary\n",
        "event_broker:\n  password: !!omap canary\n",
        "event_broker:\n  password: !!python/name:canary.x y\n",
        "event_broker:\n  password: &canary 1\n  other: &canary 2\n",
        "event_broker:\n  password: canary: x\n",
        "event_broker:\n  password: 'canary\n",
        "event_broker:\n  password: @canary\n",
        "event_broker:\n  password: %canary\n",
        "event_broker:\n  password: [canary}\n",
        'event_broker:\n  password: "\\canary"\n',
    ],
)
def test_no_mistake_in_yaml_shows_what_stands_there(
    read: Callable[[str], Section], text: str
) -> None:
    """It may be a password that begins with a character that YAML takes for its own."""
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert "canary" not in "".join(
        line for line in traceback.format_exception(caught.value) if "test_section.py" not in line
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("!!int ''", "not valid YAML"),
        ("!!bool x", "not valid YAML"),
        ("!!timestamp x", "not valid YAML"),
        ("2024-02-31", "not valid YAML"),
        ("*x", "not valid YAML: found undefined alias; if it is text, put it in quotes"),
        ("!x y", "a constructor for the tag; if it is text, put it in quotes"),
    ],
)  # fmt: skip
def test_a_value_that_yaml_cannot_make_is_a_sentence(
    read: Callable[[str], Section], value: str, said: str
) -> None:
    """Never an error of the parser's own kind."""
    assert refusal(read, f"event_broker:\n  a: {value}\n").endswith(said)


def test_no_repr_of_a_section_shows_a_value() -> None:
    """Whoever holds one may log what he holds."""
    shown = repr(from_literals({"type": "pika", "password": "hunter2"}))
    assert "password" in shown
    assert "hunter2" not in shown


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=30,
)


@given(trees)
def test_the_count_is_that_of_all_that_is_there(value: Any) -> None:
    """Counted naively; nothing is refused that is small."""

    def count(part: Any) -> int:
        return 1 + sum(count(inner) for inner in nesting.parts_in_python(part))

    assert nesting._Count(nesting.parts_in_python).values_in(value) == count(value)


@given(st.text(alphabet="abc1:*&!<~[]{},-?|>'\"%@#= \n\t\\é\u2028\x00", max_size=60))
def test_no_text_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever stands behind a key, it is a section or a ConfigurationError."""
    file = tmp_path_factory.getbasetemp() / "endpoints.yml"
    file.write_text(f"event_broker:\n  a: {text}", encoding="utf-8")
    try:
        assert "a" in from_file(file).values
    except ConfigurationError as error:
        assert str(error).startswith(str(file))  # noqa: PT017 - either outcome is right
