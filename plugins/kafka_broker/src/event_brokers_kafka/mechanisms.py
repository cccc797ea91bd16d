"""Which options a SASL mechanism wants, and which have no effect with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from event_brokers.plugin.network import Address

SaslMechanism = Literal[
    "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM", "GSSAPI"
]

# Rasa Pro 3.21 reads these (rasa/core/iam_credentials_providers); AWS_DEFAULT_REGION is botocore's
_MSK_VARIABLES = {"IAM_CLOUD_PROVIDER": "aws", "KAFKA_MSK_AWS_IAM_ENABLED": "true"}
_PORTS = {"http": 80, "https": 443}


class _Wishes(NamedTuple):
    """What a mechanism takes.

    Attributes:
        wanted: options without which it does not work.
        taken: options that it has a use for.
        package: module that it needs, which an extra of the same distribution brings.
        extra: that extra.
    """

    wanted: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    package: str = ""
    extra: str = ""


_PASSWORD = _Wishes(("sasl_username", "sasl_password"))
_WISHES: Mapping[str, _Wishes] = {
    "PLAIN": _PASSWORD,
    "SCRAM-SHA-256": _PASSWORD,
    "SCRAM-SHA-512": _PASSWORD,
    "OAUTHBEARER": _Wishes(
        ("oauth_token_url", "oauth_client_id", "oauth_client_secret"),
        ("oauth_scope", "oauth_ssl_cafile"),
    ),
    "AWS_MSK_IAM": _Wishes(package="botocore", extra="aws"),
    "GSSAPI": _Wishes(taken=("sasl_kerberos_service_name",), package="gssapi", extra="gssapi"),
}
LOGIN_OPTIONS = tuple(
    dict.fromkeys(name for wishes in _WISHES.values() for name in wishes.wanted + wishes.taken)
)


def takes_password(mechanism: SaslMechanism) -> bool:
    """Return whether a mechanism proves user and password."""
    return _WISHES[mechanism] is _PASSWORD


def means_msk() -> bool:
    """Return whether Rasa Pro's variables ask for the login of Amazon MSK."""
    return all(
        os.environ.get(name, "").casefold() == wanted for name, wanted in _MSK_VARIABLES.items()
    )


def refuse_without_effect(options: Any) -> None:
    """Refuse what has no effect with the mechanism.

    Parameters:
        options: KafkaOptions.

    Raises:
        ValueError: "option: what is wrong with it, and the way out".
    """
    mechanism = options.sasl_mechanism
    wishes = _WISHES[mechanism]
    for name in LOGIN_OPTIONS:
        if name not in wishes.wanted + wishes.taken and getattr(options, name) is not None:
            fitting = " or ".join(_that_take(name))
            raise ValueError(
                f"{name}: has no effect with sasl_mechanism {mechanism}; "
                f"give sasl_mechanism {fitting}, or take {name} out"
            )


def refuse_unfit(options: Any) -> None:
    """Refuse what is missing for the mechanism, or does not go with it.

    Parameters:
        options: KafkaOptions with a security protocol that logs in.

    Raises:
        ValueError: as above.
    """
    mechanism = options.sasl_mechanism
    wishes = _WISHES[mechanism]
    for name in wishes.wanted:
        if getattr(options, name) is None:
            needing = options.protocol if wishes is _PASSWORD else f"sasl_mechanism {mechanism}"
            raise ValueError(f"{name}: missing; {needing} needs it")
    if mechanism == "AWS_MSK_IAM" and options.protocol != "SASL_SSL":
        raise ValueError(f"security_protocol: {mechanism} needs SASL_SSL; give that")
    if wishes.package and find_spec(wishes.package) is None:
        raise ValueError(
            f"sasl_mechanism: '{mechanism}' needs a package; "
            f"pip install event-brokers-kafka[{wishes.extra}]"
        )
    if mechanism == "OAUTHBEARER":
        _check_token_server(options)


def token_server(url: str) -> Address:
    """Return where the token server listens.

    Raises:
        ValueError: the URL is none; shows nothing of it that may be a secret.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL such as https://host/token") from None
    if "@" in parts.netloc:  # what stands before it may be a password
        raise ValueError("has no user; give oauth_client_id and oauth_client_secret")
    if parts.scheme not in _PORTS or not parts.hostname or not url.isprintable() or " " in url:
        raise ValueError("is not a URL such as https://host/token")
    return Address(parts.hostname, port or _PORTS[parts.scheme])


def _that_take(name: str) -> Iterator[str]:
    for mechanism, wishes in _WISHES.items():
        if name in wishes.wanted + wishes.taken:
            yield mechanism


def _check_token_server(options: Any) -> None:
    try:
        token_server(options.oauth_token_url)
    except ValueError as error:
        raise ValueError(f"oauth_token_url: {error}") from None
    if urlsplit(options.oauth_token_url).scheme == "https":
        return
    if options.require_tls:
        raise ValueError("oauth_token_url: has no TLS, which require_tls wants; write https://")
    if options.oauth_ssl_cafile is not None:
        raise ValueError(
            "oauth_ssl_cafile: has no effect without TLS; write oauth_token_url: https://"
        )
