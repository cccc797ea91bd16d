"""The options of `type: file`, with `path` as in Rasa's file event broker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from event_brokers.plugin import Options
from event_brokers.plugin.without_effect import HTTP_ENDPOINT

STANDARD_OUTPUT = "-"
DEFAULT_ROTATE_BYTES = 100 * 1024**2
_SIGN_IN = "has no effect; nobody signs in to a file"
_NEED_ROTATION = ("rotate_bytes", "rotated_names", "keep", "compress")


class FileOptions(Options, frozen=True, kw_only=True, dict=True):
    """The options of `type: file`."""

    superseded: ClassVar[Mapping[str, str]] = {
        **HTTP_ENDPOINT,
        **dict.fromkeys(("basic_auth", "token", "token_name"), _SIGN_IN),
        "cafile": "has no effect; a file has no TLS",
    }
    place: ClassVar[tuple[str, ...]] = ("path",)

    path: Annotated[
        str,
        Meta(description="file to append to, made where it is missing; - is standard output"),
    ] = "rasa_event.log"  # Rasa's, from rasa/core/brokers/file.py
    durability: Annotated[
        Literal["power", "process"],
        Meta(description="what a delivered event outlives: a power cut, or only the process"),
    ] = "power"
    event_ids: Annotated[
        bool,
        Meta(
            description="whether each line has one key more, event_broker, with the event's id, "
            "type and headers; without it neither consume nor anybody else knows them"
        ),
    ] = True
    rotate: Annotated[
        Literal["size", "day"] | None,
        Meta(
            description="when a new file is begun: when this one is full, or when the day is "
            "another one; never unless given"
        ),
    ] = None
    rotate_bytes: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="bytes of a file that is full, for rotate: size; "
            f"{DEFAULT_ROTATE_BYTES} unless given"
        ),
    ] = None
    rotated_names: Annotated[
        Literal["numbers", "dates"] | None,
        Meta(
            description="what is put behind the name of a rotated file: numbers (.7), or dates "
            "before them (.2026-01-31.7); dates for rotate: day, otherwise numbers, unless given"
        ),
    ] = None
    keep: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="rotated files that are kept; all of them unless given"),
    ] = None
    compress: Annotated[
        bool, Meta(description="whether rotated files are compressed with gzip")
    ] = False

    @property
    def is_standard_output(self) -> bool:
        """Whether events go to standard output."""
        return self.path == STANDARD_OUTPUT

    @cached_property
    def file(self) -> Path:
        """The file, as the path led to it when the options were read."""
        return Path(self.path).absolute()

    @property
    def are_dates_in_names(self) -> bool:
        """Whether rotated files have the day in their name."""
        return (self.rotated_names or {"day": "dates"}.get(self.rotate or "")) == "dates"

    def __post_init__(self) -> None:
        """Check the rules over several options.

        Raises:
            ValueError: one is broken; the text begins with the option's name.
        """
        if "\0" in self.path:
            raise ValueError("path: holds a character of code 0, which no name of a file can")
        if self.path.endswith(os.sep):
            raise ValueError("path: names a folder; name a file in it")
        if self.is_standard_output and self.rotate is not None:
            raise ValueError(
                "rotate: has no effect on standard output; name a file, or take it out"
            )
        for option in _NEED_ROTATION:
            # who counts on old files to go, or to be small, would find a full disk
            if getattr(self, option) and self.rotate is None:
                raise ValueError(f"{option}: has no effect without rotate; add rotate: size or day")
        if self.rotate_bytes is not None and self.rotate != "size":
            raise ValueError("rotate_bytes: has no effect with rotate: day; give rotate: size")
        _ = self.file  # the program may change its folder before it connects
