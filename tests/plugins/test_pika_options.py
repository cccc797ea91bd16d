"""The options of type `pika` say what they take, and never weaken what was asked for."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import ConfigurationError, Event, EventBroker, endpoints
from event_brokers_pika import PikaOptions, PikaProducer, server
from event_brokers_pika.address import Url, parse
from event_brokers_pika.message import make_properties
from event_brokers_pika.parameters import make_parameters
from private_names import find_private_names
from servers.certificates import Certificates

HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{1,5}){0,2}", fullmatch=True)
IPV6 = st.ip_addresses(v=6).map(str)
PORTS = st.integers(min_value=1, max_value=65535)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@pytest.fixture(autouse=True)
def _no_certificate_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(server.CERTIFICATE_VARIABLE, raising=False)
    monkeypatch.delenv(server.KEY_VARIABLE, raising=False)


def read(**given_options: Any) -> PikaOptions:
    """Return the options as the core makes them of a section."""
    options = endpoints.read({"type": "pika", **given_options}).options
    assert isinstance(options, PikaOptions)
    return options


def refusal(**given_options: Any) -> str:
    """Return the sentence with which a section is refused."""
    with pytest.raises(ConfigurationError) as caught:
        read(**given_options)
    return str(caught.value)


def where(**given_options: Any) -> tuple[str, int, str, str, str]:
    """Return host, port, user, password and virtual host that options come to."""
    found = make_parameters(read(**given_options))
    login = found.credentials
    return found.host, found.port, login.username, login.password, found.virtual_host


@given(HOSTS | IPV6.map("[{}]".format), st.none() | PORTS, WORDS, WORDS, st.none() | WORDS)
def test_every_url_is_read_as_it_was_written(
    host: str, port: int | None, username: str, password: str, virtual_host: str | None
) -> None:
    """Each part of a URL may hold any character, percent-encoded."""
    user = f"{quote(username, safe='')}:{quote(password, safe='')}"
    end = ("" if port is None else f":{port}") + (
        "" if virtual_host is None else f"/{quote(virtual_host, safe='')}"
    )
    assert parse(f"amqps://{user}@{host}{end}") == Url(
        host.strip("[]"), port, username, password, virtual_host, "amqps"
    )


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    """No text makes the reader of `url` fail in any other way."""
    try:
        found = parse(text)
    except ValueError:
        return
    assert found.host
    assert found.port is None or 1 <= found.port <= 65535


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, ("localhost", 5672, "guest", "guest", "/")),
        ({"url": "rabbit"}, ("rabbit", 5672, "guest", "guest", "/")),
        ({"host": "rabbit"}, ("rabbit", 5672, "guest", "guest", "/")),
        ({"url": "rabbit:7"}, ("rabbit", 7, "guest", "guest", "/")),
        ({"url": "rabbit", "port": "7"}, ("rabbit", 7, "guest", "guest", "/")),
        ({"url": "[::1]:7"}, ("::1", 7, "guest", "guest", "/")),
        ({"url": "amqp://rabbit"}, ("rabbit", 5672, "guest", "guest", "/")),
        ({"url": "amqps://rabbit"}, ("rabbit", 5671, "guest", "guest", "/")),
        ({"url": "AMQPS://rabbit/"}, ("rabbit", 5671, "guest", "guest", "/")),
        ({"url": "amqp://u:p@h:1/v"}, ("h", 1, "u", "p", "v")),
        ({"url": "amqp://u%40x:p%2Fw%3A%40@h:1/%2Fv"}, ("h", 1, "u@x", "p/w:@", "/v")),
        ({"url": "amqp://u:p@h:1/%2F"}, ("h", 1, "u", "p", "/")),
        ({"url": "amqp://u:@h"}, ("h", 5672, "u", "", "/")),
        (
            {"url": "amqp://h", "port": 1, "username": "u", "password": "p", "virtual_host": "v"},
            ("h", 1, "u", "p", "v"),
        ),
        ({"url": "amqp://u:p@h:1/v", "port": 1, "password": "p"}, ("h", 1, "u", "p", "v")),
    ],
)
def test_a_url_and_options_name_one_place(
    options: dict[str, Any], wanted: tuple[str, int, str, str, str]
) -> None:
    """Host, host:port and URL are taken; what the URL leaves out may be an option."""
    assert where(**options) == wanted


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"url": "amqp://u:p@h:1/v", "port": 2},
            "event_broker.port: 2, but the url says 1; give one",
        ),
        (
            {"url": "amqp://u:p@h", "username": "other"},
            "event_broker.username: 'other', but the url says 'u'; give one",
        ),
        (
            {"url": "amqp://h/v", "virtual_host": "other"},
            "event_broker.virtual_host: 'other', but the url says 'v'; give one",
        ),
        (
            {"url": "amqp://u:hunter2@h", "password": "hunter3"},
            "event_broker.password: is not the one in the url; give one",
        ),
        (
            {"url": "h", "host": "other"},
            "event_broker.host: says the same as 'url'; give one of them",
        ),
    ],
)
def test_a_url_and_options_that_contradict_each_other_are_refused(
    options: dict[str, Any], sentence: str
) -> None:
    """Nobody has to know which of the two would win, and no password is shown."""
    assert refusal(**options) == sentence


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    """What a sentence shows can be copied back into the option."""
    assert str(server.find_server(read(url="[::1]:7")).address) == "[::1]:7"


FORM = "give host, host:port or amqp(s)://user:password@host:port/vhost"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("amqp://", f"no host; {FORM}"),
        ("amqp://u:hunter2@:1", f"no host; {FORM}"),
        ("localhost:0", f"host or port cannot be read; {FORM}"),
        ("localhost:70000", f"host or port cannot be read; {FORM}"),
        ("localhost:abc", f"host or port cannot be read; {FORM}"),
        ("local host", f"host or port cannot be read; {FORM}"),
        ("::1", f"host or port cannot be read; {FORM}"),
        ("amqp://u:hunter2/x@h", f"host or port cannot be read; {FORM}"),
        ("http://localhost", f"'http://' is not amqp:// or amqps://; {FORM}"),
        (
            "amqp://u:2/hunter@h",
            "percent-encode '/', '?' and '#' in user and password, as %2F, %3F, %23",
        ),
        (
            "amqps://h?cacertfile=ca.pem",
            "the parameter 'cacertfile' has no effect; write cafile",
        ),
        (
            "amqps://h?no_verify_ssl=1",
            (
                "the parameter 'no_verify_ssl' has no effect; TLS is always verified; give "
                "cafile, or ssl_check_hostname: false for a certificate of another host"
            ),
        ),
        (
            "amqps://h?channel_max=2",
            (
                "the parameter 'channel_max' is not known; those that have an effect are "
                "heartbeat, cafile, certfile, keyfile"
            ),
        ),
        (
            "amqps://h?hunter-2",
            (
                "the parameter of the url is not known; those that have an effect are heartbeat, "
                "cafile, certfile, keyfile"
            ),
        ),
        ("amqp://h?heartbeat=soon", "heartbeat is not a whole number from 0 to 65535"),
        ("amqp://h?heartbeat=65536", "heartbeat is not a whole number from 0 to 65535"),
        ("amqps://h?cafile=a&cafile=b", "the parameter 'cafile' is given twice; take one out"),
        (
            "amqp://h?cafile=ca.pem",
            "files of TLS have no effect with amqp://; write amqps://",
        ),
        ("amqps://h#hunter2", "what stands behind '#' has no effect; take it out"),
        (
            "h?heartbeat=5",
            "only a URL has more than host:port; begin it with amqp:// or amqps://",
        ),
        (
            "u:hunter2@h",
            "only a URL has more than host:port; begin it with amqp:// or amqps://",
        ),
        ("h/v", "only a URL has more than host:port; begin it with amqp:// or amqps://"),
    ],
)
def test_an_unusable_url_is_refused_in_words(url: str, sentence: str) -> None:
    """What is no address is refused before anything connects, and a password is not shown."""
    assert refusal(url=url) == f"event_broker.url: {sentence}"


@pytest.mark.parametrize(
    ("options", "queues", "exchange"),
    [
        ({}, ["rasa_core_events"], "rasa-exchange"),
        ({"queue": "a"}, ["a"], ""),
        ({"queue": ["a"]}, ["a"], ""),
        ({"queue": "a", "queues": "", "exchange_name": None}, ["a"], ""),
        ({"queues": []}, ["rasa_core_events"], "rasa-exchange"),
        ({"queues": [], "queue": "a"}, ["a"], ""),
        ({"queues": "a"}, ["a"], "rasa-exchange"),
        ({"queues": ["a"]}, ["a"], "rasa-exchange"),
        ({"queues": "a", "exchange_name": "x"}, ["a"], "x"),
        ({"queues": "a", "exchange_name": ""}, ["a"], ""),
        ({"exchange_name": ""}, ["rasa_core_events"], ""),
        ({"queue": "a", "exchange_name": ""}, ["a"], ""),
        ({"queue": "a", "queues": ["b"]}, ["b"], "rasa-exchange"),
        ({"queue": ["a", "b", "a"]}, ["a", "b"], "rasa-exchange"),
        ({"queues": ["a", "b"], "exchange_name": "x"}, ["a", "b"], "x"),
        ({"queues": ("a", "b")}, ["a", "b"], "rasa-exchange"),
        ({"queue": "a", "exchange_name": "rasa-exchange"}, ["a"], "rasa-exchange"),
    ],
)
def test_queues_and_exchange(options: dict[str, Any], queues: list[str], exchange: str) -> None:
    """`queues` go to the exchange, as in Rasa 3; `queue` alone, as in Rasa Core, needs none."""
    found = read(**options)
    assert (found.queue_names, found.exchange) == (queues, exchange)


def test_several_queues_need_an_exchange() -> None:
    """Through the default exchange an event would come into one of them alone."""
    assert refusal(queues=["a", "b"], exchange_name="") == (
        "event_broker.exchange_name: is empty, and without an exchange an event goes into one "
        "queue alone; name an exchange, or one queue"
    )


def test_queues_win_over_queue_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """As in Rasa 3, where `queue` is no option; whoever wrote both reads it once."""
    read(queue="a", queues="b")
    assert caplog.messages == [
        "event_broker.queue: has no effect beside queues, and Rasa 3 passes over it, too"
    ]


@pytest.mark.parametrize("given", [{"queue": "a"}, {"queues": "a"}, {}, {"queue": ""}])
def test_one_of_both_needs_no_word(given: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """Each is right by itself."""
    read(**given)
    assert caplog.messages == []


def test_parameters_of_the_url_are_those_that_rasas_client_reads(files: Certificates) -> None:
    """aiormq 6 takes certificates and heartbeat from there; so does a file that was made for it."""
    url = (
        f"amqps://u:p@h:1/v?cafile={files.ca}&certfile={files.client_certificate}"
        f"&keyfile={files.client_key}&heartbeat=7"
    )
    options = read(url=url)
    found = make_parameters(options)
    assert (found.host, found.port, found.virtual_host, found.heartbeat) == ("h", 1, "v", 7)
    tls = server.find_server(options).tls
    assert tls is not None
    assert (tls.ssl_cafile, tls.ssl_certfile, tls.ssl_keyfile) == (
        str(files.ca), str(files.client_certificate), str(files.client_key),
    )  # fmt: skip
    assert make_parameters(read(url="amqps://h?heartbeat=0&cafile=")).heartbeat == 0


@pytest.mark.parametrize(
    ("option", "url", "value", "sentence"),
    [
        ("heartbeat", "amqp://h?heartbeat=5", 6, "6, but the url says 5; give one"),
        ("ssl_cafile", "amqps://h?cafile=a", "b", "'b', but the url says 'a'; give one"),
        (
            "ssl_keyfile",
            "amqps://h?keyfile=k",
            None,
            "has no effect without ssl_certfile; give both",
        ),
    ],
)
def test_a_parameter_and_an_option_say_the_same_or_are_refused(
    option: str, url: str, value: Any, sentence: str
) -> None:
    """Nobody has to know which would win, and half a certificate is a mistake there, too."""
    assert refusal(url=url, **{option: value}) == f"event_broker.{option}: {sentence}"


def test_a_spool_remembers_where_events_go_and_no_secret() -> None:
    """The server, the virtual host, the exchange and the queues; not who signs in."""
    assert PikaOptions.place == (
        "url", "port", "virtual_host", "exchange_name", "queues", "queue",
    )  # fmt: skip
    options = read(url="amqp://u:canary@h/v", queues=["a", "b"])
    shown = [repr(getattr(options, name)) for name in PikaOptions.place]
    assert "canary" not in " ".join(shown)


def test_arguments_of_queues_keep_the_types_they_are_written_with() -> None:
    """RabbitMQ wants a number where it wants a number."""
    arguments = {"x-max-length": 7, "x-single-active-consumer": True, "x-overflow": "drop-head"}
    found = read(queue_type="QUORUM", queue_arguments=arguments)
    assert found.arguments_of_made_queues == {"x-queue-type": "quorum", **arguments}
    assert type(found.arguments_of_made_queues["x-single-active-consumer"]) is bool
    assert read().arguments_of_made_queues == {}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"queue_type": "stream"},
            "event_broker.queue_type: 'stream' is not one of classic, quorum",
        ),
        (
            {"queue_arguments": {"x-queue-type": "stream"}},
            "event_broker.queue_arguments: give x-queue-type as queue_type",
        ),
        (
            {"queue_arguments": {"ü" * 128: 1}},
            "event_broker.queue_arguments: a name is longer than 255 bytes",
        ),
        (
            {"queue_arguments": {"x-max-length": 2**63}},
            "event_broker.queue_arguments: a number has more than 64 bits",
        ),
        (
            {"queue_arguments": {"x-max-length": 1}, "declare": False},
            "event_broker.queue_arguments: has no effect with declare: false; take one out",
        ),
        (
            {"queue_type": "quorum", "declare": "never"},
            "event_broker.declare: 'never' is not true or false",
        ),
        (
            {"queue_type": "quorum", "declare": "false"},
            "event_broker.queue_type: has no effect with declare: false; take one out",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(options: dict[str, Any], sentence: str) -> None:
    """An option that would do nothing is never taken silently."""
    assert refusal(**options) == sentence


@pytest.mark.parametrize(
    ("option", "queue"),
    [("queue", []), ("queue", [""]), ("queue", ["a", ""]), ("queues", [""]), ("queues", ["a", ""])],
)
def test_an_empty_queue_is_refused(option: str, queue: Any) -> None:
    """No event is sent to a queue without a name."""
    assert refusal(**{option: queue}) == f"event_broker.{option}: is empty; name a queue"


@pytest.mark.parametrize("option", ["queue", "queues", "exchange_name"])
def test_a_name_that_amqp_cannot_carry_is_refused(option: str) -> None:
    """A short string has 255 bytes at most."""
    assert refusal(**{option: "ü" * 128}) == (
        f"event_broker.{option}: a name is longer than 255 bytes"
    )


def test_rasas_other_options_are_accepted_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """A file that works with Rasa works here; the log says what happens instead."""
    read(
        connection_attempts=20,
        retry_delay_in_seconds=5,
        should_keep_unpublished_messages=True,
        raise_on_failure=False,
    )
    assert caplog.messages == [
        "event_broker.connection_attempts: has no effect; connecting goes on until it succeeds",
        (
            "event_broker.retry_delay_in_seconds: has no effect; "
            "the delays between attempts grow from 0.1 s to 30 s"
        ),
        (
            "event_broker.should_keep_unpublished_messages: has no effect; "
            "events that wait are always kept, up to delivery.max_pending"
        ),
        (
            "event_broker.raise_on_failure: has no effect; "
            "connecting happens in the background and goes on until it succeeds"
        ),
    ]


def test_heartbeat_and_blocked_connection_timeout_reach_pika() -> None:
    """Both are taken as written, a heartbeat of 0 too."""
    found = make_parameters(read(heartbeat=0, blocked_connection_timeout=12.5))
    assert (found.heartbeat, found.blocked_connection_timeout) == (0, 12.5)
    assert make_parameters(read()).heartbeat is None


@pytest.mark.parametrize("option", ["ssl_cafile", "ssl_certfile"])
def test_a_tls_option_beside_a_url_without_tls_is_refused(option: str) -> None:
    """Whoever names a certificate is never connected in plain text without being told."""
    assert refusal(url="amqp://h", **{option: "x.pem"}) == (
        f"event_broker.{option}: has no effect with an amqp:// url; "
        f"write amqps://, or take {option} out"
    )


def test_a_key_without_its_certificate_is_refused() -> None:
    """Half a client certificate is a mistake."""
    assert refusal(url="amqps://h", ssl_keyfile="key.pem") == (
        "event_broker.ssl_keyfile: has no effect without ssl_certfile; give both"
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return certificates and keys in files."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


def context(**given_options: Any) -> ssl.SSLContext | None:
    """Return the TLS context that options come to; None without TLS."""
    found = make_parameters(read(**given_options)).ssl_options
    return found.context if found else None


def test_tls_begins_with_a_url_an_authority_or_a_certificate(
    files: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them asks for TLS, Rasa's variables too, and the host's name is checked."""
    client = {
        "ssl_certfile": str(files.client_certificate),
        "ssl_keyfile": str(files.client_key),
    }
    assert context(url="h") is None
    asked = [context(url="amqps://h"), context(ssl_cafile=str(files.ca)), context(**client)]
    monkeypatch.setenv(server.CERTIFICATE_VARIABLE, str(files.client_certificate))
    monkeypatch.setenv(server.KEY_VARIABLE, str(files.client_key))
    asked += [context(url="h"), context(url="amqp://h")]
    for found in asked:
        assert found is not None
        assert found.check_hostname
        assert found.verify_mode is ssl.CERT_REQUIRED
        assert found.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_without_the_hosts_name_the_certificate_is_still_checked() -> None:
    """`ssl_check_hostname: false` takes out the name and nothing else."""
    found = context(url="amqps://h", ssl_check_hostname=False)
    assert found is not None
    assert not found.check_hostname
    assert found.verify_mode is ssl.CERT_REQUIRED


def test_options_win_over_rasas_variables(
    files: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate in the section is never paired with the key of the environment."""
    monkeypatch.setenv(server.CERTIFICATE_VARIABLE, "/nowhere/c.pem")
    monkeypatch.setenv(server.KEY_VARIABLE, "/nowhere/k.pem")
    assert context(url="h", ssl_certfile=str(files.server_key_and_certificate)) is not None


WRONG_FILES = {
    "missing authority": (
        {"ssl_cafile": "/nowhere/x.pem"},
        "ssl_cafile: '/nowhere/x.pem' cannot be read: no such file or directory",
    ),
    "missing certificate": (
        {"ssl_certfile": "/nowhere/x.pem", "ssl_keyfile": "{client_key}"},
        "ssl_certfile: '/nowhere/x.pem' cannot be read: no such file or directory",
    ),
    "missing key": (
        {"ssl_certfile": "{client_certificate}", "ssl_keyfile": "/nowhere/x.pem"},
        "ssl_keyfile: '/nowhere/x.pem' cannot be read: no such file or directory",
    ),
    "no authority": (
        {"ssl_cafile": "{client_key}"},
        "ssl_cafile: '{client_key}' holds no certificate in PEM form",
    ),
    "no certificate": (
        {"ssl_certfile": "{client_key}"},
        "ssl_certfile: no certificate in '{client_key}' with a key in '{client_key}', in PEM form",
    ),
    "key of another certificate": (
        {"ssl_certfile": "{client_certificate}", "ssl_keyfile": "{server_key}"},
        ("ssl_keyfile: '{server_key}' is not the key of the certificate in '{client_certificate}'"),
    ),
    "encrypted key": (
        {"ssl_certfile": "{client_certificate}", "ssl_keyfile": "{encrypted_client_key}"},
        "ssl_password: missing; the key in '{encrypted_client_key}' is encrypted",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_a_file_that_cannot_be_used_is_named(files: Certificates, wrong: str) -> None:
    """The sentence names option and path before anything connects, and nothing is prompted for."""
    templates, sentence = WRONG_FILES[wrong]
    options = {name: file.format(**vars(files)) for name, file in templates.items()}
    with pytest.raises(ConfigurationError) as caught:
        make_parameters(read(url="amqps://h", **options))
    assert str(caught.value) == "event_broker." + sentence.format(**vars(files))


def test_a_missing_file_of_rasas_variables_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path in the environment is as good as one in the section."""
    monkeypatch.setenv(server.CERTIFICATE_VARIABLE, "/nowhere/c.pem")
    with pytest.raises(ConfigurationError, match=r"ssl_certfile: '/nowhere/c\.pem' cannot be read"):
        make_parameters(read())


def test_a_key_in_the_file_of_its_certificate_needs_no_option(files: Certificates) -> None:
    """One file may hold both."""
    assert context(ssl_certfile=str(files.server_key_and_certificate)) is not None


@pytest.mark.parametrize("timestamp", [None, -1.0, 2.0**63, 1e300, "soon"])
@pytest.mark.parametrize("type_name", [None, "ü" * 128])
def test_what_a_property_cannot_carry_is_left_out(timestamp: Any, type_name: Any) -> None:
    """Any event can be sent; the body says it all anyway, and the header has the whole type."""
    event = Event.from_dict({"event": type_name, "timestamp": timestamp}, event_id="id")
    found = make_properties(event, "e" * 256)
    assert (found.timestamp, found.type, found.app_id) == (None, None, None)
    assert found.headers.get("event_type") == type_name
    assert found.encode()


def test_what_is_private_in_pika_is_used_in_one_module_alone() -> None:
    """A new pika may change it; then there is one place to look at."""
    folder = Path(server.__file__).parent
    found = {module.name: find_private_names(module) for module in folder.glob("*.py")}
    assert found.pop("pika_internals.py")
    assert set().union(*found.values()) == set()


def test_secrets_do_not_print(tmp_path: Path) -> None:
    """No password shows in a repr: from a URL, an option or a file."""
    file = tmp_path / "password"
    file.write_text("canary\n", encoding="utf-8")
    for options in (
        read(url="amqp://u:canary@h"),
        read(password="canary"),
        read(password_file=str(file)),
    ):
        found = make_parameters(options)
        assert found.credentials.password == "canary"
        shown = [options, options.parsed_url, server.find_server(options), found, found.credentials]
        assert "canary" not in repr(shown)


def test_the_class_of_the_original_documentation_is_an_event_broker_with_those_options() -> None:
    """Rasa's positional arguments are read as the options of the same names."""
    broker = PikaProducer("localhost", "username", "password", queue="rasa_core_events", port=1)
    assert isinstance(broker, EventBroker)
    broker.close()
    wanted = {"username": "username", "password": "password", "queue": "rasa_core_events"}
    assert broker._settings.options == read(url="localhost", port=1, **wanted)


def test_the_class_of_the_original_documentation_refuses_as_yaml_does() -> None:
    """A mistake in Python gets the sentence that YAML would get."""
    with pytest.raises(ConfigurationError, match=r"did you mean 'username'"):
        PikaProducer(host="localhost", usrname="alice")
    with pytest.raises(ConfigurationError, match=r"host: says the same as 'url'"):
        PikaProducer("localhost", host="other")
