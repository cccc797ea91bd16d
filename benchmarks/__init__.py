"""Measures what is fast and what is not, beside whatever somebody would use instead.

    python -m benchmarks                      # every row, at full length
    python -m benchmarks kafka sql --quick    # some rows, in a short form
    python -m benchmarks --json results.json  # keeps the figures, too
    python -m benchmarks.document results.json  # writes them into docs/performance.md

What is measured is a row (`rows`): some ways (`ways`) to do the same thing, which take turns, each
time in a process of its own, towards a private server (`places`). What has arrived there is
counted, and its order looked at, before a figure counts.
"""

import sys
from pathlib import Path

# the private servers are those of the tests
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
