"""Programs that hold a broker: struck by signals, forked, cancelled, stopped, badly logged to."""
