"""The Redis broker of event-brokers: each event is an entry of a stream."""
