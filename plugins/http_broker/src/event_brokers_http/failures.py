"""What errors of the connection and statuses of answers mean for delivery, in words."""

from __future__ import annotations

import http.client
import time
from datetime import timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from event_brokers import BrokerUnavailable, ConfigurationError
from event_brokers.plugin.causes import causes_of
from event_brokers.plugin.network import connection_problem
from event_brokers.plugin.tls import handshake_problem
from event_brokers_http.options import HTTPOptions

_TLS_ALERT = "\x15\x03"  # how a record begins with which a server refuses what is no TLS
# "try again later": RFC 9110, RFC 8470 (425), RFC 6585 (429); every 5xx is, too
_LATER = (408, 425, 429)
# these are not about TLS or the path; a server that has no such method may answer them as well
_PROBE_LATER = (408, 425, 429, 502, 503, 504)
_PROBE_REFUSED = (401, 407)
# what is wrong is the address, the login or the form of every request, and no event
_CONFIGURATION = (401, 403, 404, 405, 407, 410, 415, 421, 426)


def explain(error: Exception, options: HTTPOptions) -> ConfigurationError | BrokerUnavailable:
    """Return what an error of the connection means. What the client says is never shown.

    Parameters:
        error: what the client raised.
        options: of the plugin.
    """
    address = options.parsed_url.address
    if options.uses_tls:
        mistake = handshake_problem(error, str(address), options)
        if mistake is not None:
            return ConfigurationError(mistake)
    problem = connection_problem(error, address)
    if problem is not None:
        return BrokerUnavailable(problem)
    for cause in causes_of(error):
        if isinstance(cause, http.client.BadStatusLine) and str(cause).startswith(_TLS_ALERT):
            return _mistake("url", f"'{address}' wants TLS; write https://")
        if isinstance(cause, http.client.HTTPException):
            return BrokerUnavailable(
                f"{address} answers with something else than HTTP; is it the right url?"
            )
    return BrokerUnavailable(f"{address}: the client failed with {type(error).__name__}")


def refusal(
    status: int, retry_after: str | None, options: HTTPOptions
) -> ConfigurationError | BrokerUnavailable | str | None:
    """Return what an answer to events means: None where they are taken.

    A text is why these events, and no others, are refused.

    Parameters:
        status: of the answer.
        retry_after: the header of that name.
        options: of the plugin.
    """
    if 200 <= status < 300:
        return None
    if status in _LATER or status >= 500:
        return _later(status, retry_after, options)
    if status in _CONFIGURATION or status < 400:
        return _configuration(status, options)
    return f"{options.parsed_url.address} answers {_named(status)}"


def probe_problem(
    status: int, retry_after: str | None, options: HTTPOptions
) -> ConfigurationError | BrokerUnavailable | None:
    """Return what an answer to a request without events means; None where the server is there.

    A server that has no use for the method may answer 403, 404 or 405, and 500 as well: that
    says nothing of events.

    Parameters:
        status: of the answer.
        retry_after: the header of that name.
        options: of the plugin.
    """
    if status in _PROBE_LATER:
        return _later(status, retry_after, options)
    if status in _PROBE_REFUSED:
        return _configuration(status, options)
    return None


def seconds_to_wait(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After says: RFC 9110, section 10.2.3.

    Parameters:
        retry_after: seconds or a date; None, and what is neither, says nothing.
    """
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)  # "GMT" it says, which is what -0000 stands for
    return max(0.0, date.timestamp() - time.time())


def _later(status: int, retry_after: str | None, options: HTTPOptions) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"{options.parsed_url.address} answers {_named(status)}",
        retry_after=seconds_to_wait(retry_after),
    )


def _configuration(status: int, options: HTTPOptions) -> ConfigurationError:
    server, answer = f"'{options.parsed_url.address}'", _named(status)
    match status:
        case 401:
            return _denied(server, answer, options)
        case 403:
            option = _login_option(options)
            return _mistake(option, f"{server} forbids it: {answer}; allow it there")
        case 404 | 410 | 421:
            return _mistake("url", f"{server} has no such address: {answer}; check the url")
        case 405:
            way_out = "give method as the server expects it, or another url"
            return _mistake("method", f"{server} takes no {options.method}: {answer}; {way_out}")
        case 407:
            return _mistake("url", f"a proxy before {server} wants a login: {answer}")
        case 415:
            return _mistake(
                "format", f"{server} does not take this form: {answer}; change format, batch or "
                "compression",
            )  # fmt: skip
        case 426:
            return _mistake("url", f"{server} wants another protocol: {answer}; give its url")
    if 300 <= status < 400:
        return _mistake(
            "url", f"{server} leads elsewhere: {answer}; no redirection is followed, so give the "
            "address it leads to",
        )  # fmt: skip
    return _mistake("url", f"{server} answers {answer}, which is no answer to a request")


def _denied(server: str, answer: str, options: HTTPOptions) -> ConfigurationError:
    option = _login_option(options)
    if options.token is not None:
        return _mistake(option, f"{server} refuses the token: {answer}; check it")
    if options.user is not None:
        text = f"{server} refuses the user '{options.user}': {answer}; check username and password"
        return _mistake(option, text)
    if option == "headers":
        return _mistake(option, f"{server} refuses what they say: {answer}; check them")
    return _mistake(
        option, f"missing; {server} lets nobody in without one: {answer}; give token, or username "
        "and password",
    )  # fmt: skip


def _login_option(options: HTTPOptions) -> str:
    if options.user is not None:
        return "password" if options.username is not None else "url"
    return "headers" if options.token is None and options.headers else "token"


def _named(status: int) -> str:
    """Return "404 Not Found": what the server itself says is not shown, for it may say anything."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _mistake(option: str, text: str) -> ConfigurationError:
    return ConfigurationError(f"event_broker.{option}: {text}")
