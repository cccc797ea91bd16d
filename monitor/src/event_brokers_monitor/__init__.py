"""The live page: where events are, why they wait, and what became of them.

::

    app.mount("/monitor", event_brokers_monitor.application())
"""

from event_brokers_monitor.access import Access
from event_brokers_monitor.application import application

__all__ = ["Access", "application"]
