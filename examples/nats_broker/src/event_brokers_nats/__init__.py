"""The NATS broker of event-brokers: each event is a message of a JetStream stream."""
