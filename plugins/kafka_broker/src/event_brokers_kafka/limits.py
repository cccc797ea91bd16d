"""How long each thing may take, and how large it may be, whichever client does it."""

REQUEST_SECONDS = 10.0  # for one answer of a broker
START_SECONDS = 10.0
DELIVERY_SECONDS = 20.0  # for a batch
CLOSE_SECONDS = 3.0
# handed over as a batch and flushed at once, so this only keeps the first record from leaving alone
LINGER_MILLISECONDS = 50
BATCH_BYTES = 262_144
# the broker's own limit decides; this is what a request may have at most (socket.request.max.bytes
# is 100 MiB), less its frame
MAX_REQUEST_BYTES = 100 * 1024 * 1024 - 65_536
RECONNECT_SECONDS = 1.0  # the longest pause before a client tries a broker again
SESSION_SECONDS = 10.0  # after which a group does without a member that was killed
COMMIT_SECONDS = 0.1  # that an acknowledgement may be repeated of, after SIGKILL
COMMIT_TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 0.5
