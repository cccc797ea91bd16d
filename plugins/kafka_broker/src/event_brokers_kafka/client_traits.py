"""What each client needs and lacks, for the options alone: it imports none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple

ClientName = Literal["kafka-python", "librdkafka"]


class _Traits(NamedTuple):
    """What is to be known of a client before it is imported.

    Attributes:
        lacks: the SASL mechanisms that it has not.
        packages: module -> extra of the same distribution that brings it.
        codec_packages: codec -> package that it needs.
    """

    lacks: tuple[str, ...] = ()
    packages: Mapping[str, str] = {}
    codec_packages: Mapping[str, str] = {}


_TRAITS: Mapping[ClientName, _Traits] = {
    "kafka-python": _Traits(
        codec_packages={"snappy": "python-snappy", "lz4": "lz4", "zstd": "zstandard"}
    ),
    # its wheels are built without Cyrus SASL, and the login of Amazon MSK is not Kafka's own; the
    # codecs are all in them
    "librdkafka": _Traits(
        lacks=("AWS_MSK_IAM", "GSSAPI"), packages={"confluent_kafka": "librdkafka"}
    ),
}


def refuse_missing(options: Any) -> None:
    """Refuse a client that is not installed.

    Parameters:
        options: KafkaOptions.

    Raises:
        ValueError: "option: what is wrong with it, and the way out".
    """
    for module, extra in _TRAITS[options.client].packages.items():
        if find_spec(module) is None:
            raise ValueError(
                f"client: '{options.client}' needs a package; "
                f"pip install 'event-brokers-kafka[{extra}]'"
            )


def refuse_mechanism(options: Any) -> None:
    """Refuse a mechanism that the client has not.

    Parameters:
        options: KafkaOptions with a security protocol that logs in.

    Raises:
        ValueError: as above.
    """
    mechanism = options.sasl_mechanism
    if mechanism in _TRAITS[options.client].lacks:
        able = " or ".join(name for name, has in _TRAITS.items() if mechanism not in has.lacks)
        raise ValueError(
            f"client: {options.client} has no sasl_mechanism {mechanism}; give client {able}"
        )


def refuse_codec(options: Any) -> None:
    """Refuse a codec whose package is not installed.

    Parameters:
        options: KafkaOptions.

    Raises:
        ValueError: as above.
    """
    codec = options.compression_type
    package = _TRAITS[options.client].codec_packages.get(codec)
    if package is None:
        return
    from kafka import codec as codecs  # noqa: PLC0415 - most configurations do not need it

    if not getattr(codecs, f"has_{codec}")():
        raise ValueError(f"compression_type: '{codec}' needs a package; pip install {package}")
