"""A certificate that is not to be trusted is refused, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from event_brokers.errors import ConfigurationError
from event_brokers.testing import contract, events
from event_brokers.testing.answers import Answers
from event_brokers.testing.certificates import BAD, Certificate, Certificates
from event_brokers.testing.check import check
from event_brokers.testing.checks.connecting import hold_that_it_raises
from event_brokers.testing.contract import fail, hold
from event_brokers.testing.tls_front import TlsFront


class TlsChecks(Answers):
    """A certificate that is not to be trusted is refused."""

    @check("over_tls")
    def test_a_good_certificate_is_accepted(self) -> None:
        """Over TLS, with a certificate of the authority that is trusted, events are delivered."""
        certificates = Certificates(self.folder)
        with self._presented(certificates.good()) as port:
            try:
                connected = self.subject.connect(self.over_tls(port, str(certificates.authority)))
                connected.publish(events.numbered(1))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no certificate
                fail(
                    f"{type(error).__name__} was raised over TLS with a good certificate",
                    contract.CONFIRMED,
                )

    @check("over_tls")
    @pytest.mark.parametrize("kind", list(BAD))
    def test_a_bad_certificate_is_refused(self, kind: str) -> None:
        """A certificate that is expired, self-signed, another's or a stranger's is refused."""
        certificates = Certificates(self.folder)
        with self._presented(BAD[kind](certificates)) as port:
            options = self.over_tls(port, str(certificates.authority))
            raised = hold_that_it_raises(
                lambda: self.subject.connect(options),
                "connect",
                f"a server whose certificate is {kind}",
                contract.A_PERSON,
            )
        hold(
            isinstance(raised, ConfigurationError),
            f"'connect' raised {type(raised).__name__} for a certificate that is {kind}",
            contract.A_PERSON,
        )

    @contextmanager
    def _presented(self, certificate: Certificate) -> Iterator[int]:
        port = self.present(certificate)
        if port is not None:
            yield port
            return
        with TlsFront(self.server_port(), certificate, self.proxy_port()) as front:
            yield front.port
