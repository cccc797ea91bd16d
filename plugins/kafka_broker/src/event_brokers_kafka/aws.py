"""AWS credentials for AWS_MSK_IAM, as botocore finds them."""

from __future__ import annotations

import time
from typing import NamedTuple

from event_brokers import BrokerUnavailable, ConfigurationError
from event_brokers_kafka.renewal import Lease

# botocore renews credentials that expire 10 to 15 minutes before they do
_ASKED_AGAIN_SECONDS = 300.0


class AwsCredentials(NamedTuple):
    """What a login is signed with.

    Attributes:
        access_key: not a secret; AWS_ACCESS_KEY_ID.
        secret_key: AWS_SECRET_ACCESS_KEY.
        token: of a session; None where the key is for good.
        region: where the cluster is, such as "eu-west-1".
    """

    access_key: str
    secret_key: str
    token: str | None
    region: str

    def __repr__(self) -> str:
        return f"AwsCredentials(region={self.region!r})"


def find_credentials() -> Lease[AwsCredentials]:
    """Return what botocore finds in variables, files, and what the machine is given.

    Raises:
        ConfigurationError: there are none, or no region is named.
        BrokerUnavailable: whoever gives them does not answer.
    """
    from botocore import exceptions  # noqa: PLC0415 - an extra
    from botocore.session import Session  # noqa: PLC0415 - as above

    since = time.monotonic()
    session = Session()
    try:
        region = session.get_config_variable("region")
        found = session.get_credentials()
        frozen = None if found is None else found.get_frozen_credentials()
    except (
        exceptions.ProfileNotFound,
        exceptions.ConfigNotFound,
        exceptions.ConfigParseError,
        exceptions.PartialCredentialsError,
    ) as error:
        raise ConfigurationError(
            "event_broker.sasl_mechanism: AWS_MSK_IAM cannot use the configuration of AWS "
            f"({type(error).__name__}); check AWS_PROFILE, the AWS_ variables and ~/.aws"
        ) from error
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        # its text may quote an answer
        raise BrokerUnavailable(f"no AWS credentials: {type(error).__name__}") from error
    if frozen is None:
        raise ConfigurationError(
            "event_broker.sasl_mechanism: AWS_MSK_IAM finds no AWS credentials; set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role"
        )
    if not region:
        raise ConfigurationError(
            "event_broker.sasl_mechanism: AWS_MSK_IAM knows no region; set AWS_DEFAULT_REGION"
        )
    credentials = AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token, region)
    return Lease(credentials, since, _ASKED_AGAIN_SECONDS)
