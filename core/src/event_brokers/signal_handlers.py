"""Tells an error that a signal handler of the application has raised from one of what it struck."""

from __future__ import annotations

import signal
import threading
from functools import partial
from types import CodeType


def is_from_signal_handler(error: BaseException) -> bool:
    """Return whether a signal handler has raised an error, such as a time limit by SIGALRM.

    Parameters:
        error: caught around something that is tried again, or may fail; the handler's is neither.
    """
    if threading.current_thread() is not threading.main_thread():
        return False  # handlers run on that one alone
    if isinstance(error, KeyboardInterrupt):
        return True  # by Python's own handler, of which there is no frame
    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False


def _code(handler: object) -> CodeType | None:
    """Return the code of a handler that is written in Python."""
    while isinstance(handler, partial):
        handler = handler.func
    function = handler if hasattr(handler, "__code__") else getattr(handler, "__func__", None)
    if function is None and handler is not None:
        function = getattr(type(handler), "__call__", None)  # noqa: B004 - its code is looked for
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None
