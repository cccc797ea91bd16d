"""What `event-brokers check` says; asks by a request that changes nothing."""

from __future__ import annotations

from contextlib import closing

from event_brokers_http.client import Client
from event_brokers_http.connection import probe
from event_brokers_http.options import HTTPOptions

_FORMS = {
    "json": "as JSON",
    "cloudevents": "as CloudEvents 1.0",
    "cloudevents-binary": "as CloudEvents 1.0 in binary mode",
}
_NOT_PROVEN = "whether events are taken, and the login is right, shows with the first one"
_CARRIES = {"none": "one event a request", "array": "in arrays of", "lines": "in lines, of"}


def inspect(options: HTTPOptions) -> list[str]:
    """Return where we were answered, and how events would be sent, a sentence each.

    Raises:
        ConfigurationError: a person must change something: login, TLS.
        BrokerUnavailable: the server cannot be reached now.
    """
    with closing(Client(options)) as client:
        status = probe(client, options)
    return [
        f"connected to {options.parsed_url.address} {_login(options)}, {_tls(options)}",
        f"{options.probe} was answered with {status}, and no event was sent; {_NOT_PROVEN}",
        f"events go by {options.method}, {_form(options)}",
    ]


def _login(options: HTTPOptions) -> str:
    if options.token is not None:
        return "with a token"
    return "without a login" if options.user is None else f"as {options.user}"


def _tls(options: HTTPOptions) -> str:
    if not options.uses_tls:
        return "no TLS"
    check = "with" if options.ssl_check_hostname else "without"
    certificate = ", client certificate given" if options.ssl_certfile else ""
    return f"TLS {check} hostname check{certificate}"


def _form(options: HTTPOptions) -> str:
    carries = _CARRIES[options.batch]
    if options.batch != "none":
        carries += f" {options.events_in_a_request} events at most"
    gzip = ", compressed by gzip" if options.compression == "gzip" else ""
    signed = "" if options.signing_secret is None else ", signed"
    return f"{carries}, {_FORMS[options.format]}{gzip}{signed}"
