"""The broker type `mybroker` of event-brokers."""
