"""Kafka that logs in by tokens, which it validates against the keys of a token server."""

from __future__ import annotations

from .certificates import Certificates
from .kafka import Kafka
from .token_server import TokenServer

_PACKAGE = "org.apache.kafka.common.security.oauthbearer"


class KafkaWithTokens(Kafka):
    """Kafka whose SASL listeners take OAUTHBEARER as well, for `session_seconds` at most.

    Parameters:
        certificates: of its listeners and of the token server.
        tokens: runs already: its keys are read at the start.
    """

    session_seconds = 30.0

    def __init__(self, certificates: Certificates, tokens: TokenServer) -> None:
        self._tokens = tokens
        super().__init__(certificates)

    def _properties(self) -> dict[str, str]:
        properties = super()._properties()
        properties["sasl.enabled.mechanisms"] += ",OAUTHBEARER"
        # beside other options the module wants a name for a token of its own, asked for by nobody
        options = (
            f'ssl.truststore.type="PEM" ssl.truststore.location="{self.certificates.ca}" '
            'unsecuredLoginStringClaim_sub="broker"'
        )
        for listener in ("sasl_plaintext", "sasl_ssl"):
            prefix = f"listener.name.{listener}.oauthbearer"
            properties |= {
                f"{prefix}.sasl.jaas.config": f"{_PACKAGE}.OAuthBearerLoginModule required "
                f"{options};",
                f"{prefix}.sasl.server.callback.handler.class": (
                    f"{_PACKAGE}.OAuthBearerValidatorCallbackHandler"
                ),
                f"{prefix}.connections.max.reauth.ms": str(int(self.session_seconds * 1000)),
            }
        return properties | {
            # by itself it takes one that looks at no signature
            "sasl.oauthbearer.jwt.validator.class": f"{_PACKAGE}.BrokerJwtValidator",
            "sasl.oauthbearer.jwks.endpoint.url": self._tokens.keys_url,
            "sasl.oauthbearer.expected.issuer": self._tokens.issuer,
            "sasl.oauthbearer.expected.audience": self._tokens.audience,
            "sasl.oauthbearer.clock.skew.seconds": "0",
        }

    def _java(self, main_class: str) -> list[str]:
        java, *rest = super()._java(main_class)
        # none is allowed by itself since 4.0
        return [
            java,
            f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self._tokens.keys_url}",
            *rest,
        ]
