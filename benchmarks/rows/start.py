"""How soon a program is ready: the import, the command, the first event that is confirmed."""

from benchmarks.row import OURS, Goal, Length, Row, Way

_START = "benchmarks.ways.start"
_FULL, _QUICK = Length(1, 15), Length(1, 5)


def _first(name: str, place: str, client: str, program: str) -> Row:
    return Row(
        "first",
        f"From the start of the program to the first event in {name}",
        place,
        (
            Way(OURS, _START, {"program": "with_event_brokers"}),
            Way(client, _START, {"program": program}),
        ),
        (Goal("ms", "at most", 1.3, beside=client),),
        _FULL,
        _QUICK,
        "event",
    )


def _alone(title: str, settings: dict[str, object], most: float) -> Row:
    return Row(
        "start", title, "down", (Way(OURS, _START, settings),), (Goal("ms", "at most", most),),
        _FULL, _QUICK, "start",
    )  # fmt: skip


ROWS = (
    _alone("import event_brokers", {"statement": "import event_brokers"}, 20),
    _alone("event-brokers --help", {"command": ["event-brokers", "--help"]}, 150),
    _first("SQLite", "sqlite", "sqlite3", "with_sqlite3"),
    _first("RabbitMQ", "rabbitmq", "pika", "with_pika"),
    _first("Kafka", "kafka", "kafka-python", "with_kafka_python"),
    _first("PostgreSQL", "postgresql", "psycopg", "with_psycopg"),
)
