"""What `event-brokers doctor` finds at certificates: for how many days each is valid."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from event_brokers import certificates
from event_brokers.cli.exit_codes import ExitCode
from event_brokers.cli.finding import Finding, Verdict
from event_brokers.settings import Settings
from event_brokers.wording import system_reason

EXPIRY_DAYS = 30  # before the end of a certificate that somebody should know


def of_certificates(settings: Settings) -> Iterator[Finding]:
    """Say for how many days the certificates are valid; ask the broker first, for its own."""
    yield from _of_option(settings, "ssl_cafile", _of_authorities)
    yield from _of_option(settings, "ssl_certfile", _of_chain)
    for server, certificate in certificates.shown_by_servers():
        what = f"the certificate of '{server}'"
        try:
            yield _of_expiry(what, certificates.valid_until(certificate))
        except ValueError:
            yield _wrong(f"{what} cannot be read")


def _of_option(
    settings: Settings, option: str, judge: Callable[[str, Sequence[datetime]], Finding]
) -> Iterator[Finding]:
    file = getattr(settings.options, option, None)
    if file is None:
        return
    what = f"{option}: '{file}'"
    try:
        expiries = certificates.expiries_in(file)
    except OSError as error:
        yield _wrong(f"{what} cannot be read: {system_reason(error)}")
    except ValueError:
        yield _wrong(f"{what} holds a certificate that is damaged")
    else:
        yield judge(what, sorted(expiries)) if expiries else _wrong(f"{what} holds no certificate")


def _of_authorities(what: str, expiries: Sequence[datetime]) -> Finding:
    """Judge a bundle, of which one authority may be all that is of use."""
    expired = [each for each in expiries if _days_until(each) < 0]
    if not expired or len(expired) == len(expiries):
        return _of_expiry(what, expiries[len(expired) - 1 if expired else 0])
    text = f"{what}: {len(expired)} of its {len(expiries)} certificates have expired; take them out"
    return Finding(Verdict.WARNING, "tls", text)


def _of_chain(what: str, expiries: Sequence[datetime]) -> Finding:
    """Judge a certificate with those that it rests on, all of which are of use."""
    return _of_expiry(what, expiries[0])


def _of_expiry(what: str, expiry: datetime) -> Finding:
    days = _days_until(expiry)
    if days < 0:
        return _wrong(f"{what} expired {-days:.0f} days ago; renew it")
    text = f"{what} is valid for {days:.0f} days"
    if days < EXPIRY_DAYS:
        return Finding(Verdict.WARNING, "tls", f"{text}; renew it")
    return Finding(Verdict.OK, "tls", text)


def _days_until(expiry: datetime) -> float:
    return (expiry.timestamp() - time.time()) / 86400


def _wrong(text: str) -> Finding:
    return Finding(Verdict.WRONG, "tls", text, ExitCode.EX_CONFIG)
