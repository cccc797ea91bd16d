"""One connection to the database, and the transaction that stores a batch."""

from __future__ import annotations

from collections.abc import Sequence

from event_brokers.plugin import Event
from event_brokers_sql import schema
from event_brokers_sql.engine import Database
from event_brokers_sql.options import SQLOptions
from event_brokers_sql.packet import largest_statement, refuse_too_large
from event_brokers_sql.rows import RowMaker
from event_brokers_sql.storing import storing_for
from event_brokers_sql.used_tables import prepare_table, require_file


class Connection:
    """A database whose table of events is ready.

    Parameters:
        options: the options of `type: sql`.
        used: the tables that earlier connections stored events in; gains this one.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: the database cannot be reached now.
    """

    def __init__(self, options: SQLOptions, used: set[str]) -> None:
        self._database = Database(options)
        require_file(self._database.url, options.table, used)
        try:
            with self._database.session() as connection:
                table = prepare_table(connection, options.table, used)
                self._largest = largest_statement(connection)
                self._rows = RowMaker(table, schema.holds_unicode(connection, table))
                self._storing = storing_for(connection, table, self._rows.columns)
        except BaseException:
            self._database.close()
            raise

    def publish(self, events: Sequence[Event]) -> None:
        """Store a batch in one transaction; what is stored already is left as it is.

        Raises:
            RejectedEvents: the database refuses a value, or an event is too large; nothing of
                the batch was stored.
            ConfigurationError: a person must change something.
            BrokerUnavailable: not stored, or not known.
        """
        if not events:
            return
        rows = [self._rows.make(event) for event in events]
        refuse_too_large(events, rows, self._largest)
        with self._database.transaction() as connection:
            self._storing.store(connection, rows)

    def close(self) -> None:
        """Release the connection to the database."""
        self._database.close()
