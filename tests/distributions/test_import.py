"""What `import event_brokers` costs: nothing that is not needed at once."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, sys
before = set(sys.modules)
import event_brokers
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_import_brings_in_nothing_from_other_distributions() -> None:
    """No YAML, no msgspec, no pluggy and no client; `python -m benchmarks start` times it."""
    command = [sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    names = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert "event_brokers" in names
    assert names - set(sys.stdlib_module_names) == {"event_brokers"}
