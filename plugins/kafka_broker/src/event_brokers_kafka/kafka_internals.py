"""What is private in kafka-python and is used here all the same, each with its reason.

It was tried with kafka-python 3.0; another version has to be tried before it is let in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka.net import KafkaNetSocket
from kafka.net.compat import KafkaNetClient
from kafka.net.sasl import get_sasl_mechanism, msk, oauth, register_sasl_mechanism

__all__ = [
    "DIRECT_URL",
    "LoginProvider",
    "close_on_failure",
    "forget_at_exit",
    "get_sasl_mechanism",
    "stop_sending",
]

# names the sockets below among kafka-python's proxies, which is the only way to give it sockets
DIRECT_URL = "event-brokers-direct://"


class DirectSocket(KafkaNetSocket):  # type: ignore[misc]
    """Connects without a proxy, as the base does, and closes what could not be connected.

    kafka-python leaves the socket of a refused connection to the garbage collector: a producer
    that tries again and again while a broker is down would pile up open files.
    """

    SCHEMES = ("event-brokers-direct",)

    async def sock_connect(self, net: Any, sock: Any, sockaddr: Any, timeout_at: Any = None) -> Any:
        """Return the connected socket, or close it and raise what the base raises."""
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise


class LoginProvider(oauth.AbstractTokenProvider):  # type: ignore[misc]
    """Hands kafka-python what it logs in with; the class is demanded by OAUTHBEARER.

    Parameters:
        current: returns it, and waits for nothing: it is called on the network thread.
    """

    def __init__(self, current: Callable[[], Any]) -> None:
        super().__init__()
        self._current = current

    def token(self) -> Any:
        """Return what is good now: a token, or the credentials for AWS_MSK_IAM."""
        return self._current()


class AwsMskIam(msk.SaslMechanismAwsMskIam):  # type: ignore[misc]
    """Signs with credentials that are there already.

    kafka-python has botocore look for them on the network thread, at every login: where they come
    from a server, everything else would wait. Without a provider of ours it does as before.
    """

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self._provider = config.get("sasl_oauth_token_provider")

    def _build_client(self) -> Any:
        if not isinstance(self._provider, LoginProvider):
            return super()._build_client()
        found = self._provider.token()
        return msk.AwsMskIamClient(
            self.host, found.access_key, found.secret_key, found.region, found.token
        )


register_sasl_mechanism("AWS_MSK_IAM", AwsMskIam, overwrite=True)


class ClosingClient(KafkaNetClient):  # type: ignore[misc]
    """Closes every socket when it is closed, also one to which it has still to write.

    kafka-python ends what writes there, and leaves the socket to the garbage collector.
    """

    def close(self, node_id: Any = None) -> None:
        """Close the connection to a node; without one, everything."""
        transports = [each.transport for each in list(self._manager._conns.values())]
        super().close(node_id)
        if node_id is not None:
            return  # the loop goes on, and closes it once all is written
        for transport in transports:
            if transport is not None and transport._sock is not None:
                transport._sock.close()


@contextmanager
def close_on_failure() -> Iterator[Any]:
    """Hand out what makes the client of a producer or consumer; close it if the block fails.

    A constructor that raises gives nobody the client, its thread and its sockets to close. And the
    setting by which a client makes no topics is lost on the way to where it is asked for.
    """
    clients: list[Any] = []

    def make(**settings: Any) -> Any:
        client = ClosingClient(**settings)
        clients.append(client)
        # a topic that somebody deletes must not come back empty, unseen
        client.cluster.config["allow_auto_create_topics"] = False
        return client

    try:
        yield make
    except BaseException:
        for client in clients:
            client.close()
        raise


def stop_sending(producer: Any) -> None:
    """Let a producer send nothing more; may be called on its own thread, and again.

    Its public `close` first waits for what it still has to send, and that must not overtake an
    event that has failed.
    """
    producer._sender.force_close()


def forget_at_exit(producer: Any) -> None:
    """Take away a producer's own exit handler: it would close it before the core has drained."""
    producer._unregister_cleanup()
