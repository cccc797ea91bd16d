"""What the HTTP API takes as bodies: their size, their depth, and what they must hold."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import Request

from event_brokers_assistant.nesting import is_deeper

DEEPEST = 100

_PRINTABLE = r"[\p{L}\p{M}\p{N}\p{P}\p{S}]"
# as `checked_sender_id` has it, for whoever reads the description of the API
CONVERSATION_NAME = {
    "maxLength": 255,
    "pattern": f"^{_PRINTABLE}(({_PRINTABLE}| )*{_PRINTABLE})?$",
    "description": "printable, without a blank at either end",
}
EVENT_TYPE = {"maxLength": 255, "pattern": f"^({_PRINTABLE}| )+$", "description": "printable"}
_Name = Annotated[str, Meta(extra_json_schema=CONVERSATION_NAME)]
# a JSON Schema's integer may be written as 15.0; what has more bits is no number in most languages
_Number = (
    Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    | Annotated[float, Meta(multiple_of=1, ge=-(2**63), lt=2**63)]
)


class WebhookBody(msgspec.Struct):
    """What is sent to the REST channel; the names are Rasa's."""

    message: str
    sender: _Name | _Number = "default"
    metadata: dict[str, Any] | None = None
    input_channel: str | None = None
    stream: Annotated[bool | None, Meta(extra_json_schema={"enum": [False, None]})] = None

    def sender_id(self) -> str:
        """Return the conversation that it is for."""
        return str(int(self.sender) if isinstance(self.sender, float) else self.sender)


class MessageBody(msgspec.Struct):
    """A message that is added to a conversation; the names are Rasa's."""

    text: str
    sender: Annotated[str, Meta(extra_json_schema={"enum": ["user"]})]
    parse_data: dict[str, Any] | None = None


async def read(request: Request, kind: Any, most_bytes: int) -> Any:
    """Return what a request's body holds.

    Parameters:
        request: its body has not been read yet.
        kind: the type of the result, for msgspec.
        most_bytes: the most that the body may have.

    Raises:
        HTTPException: 413 for more bytes, 400 for a body that is not JSON, nested too deeply, or
            not of that type; the sentence names the place, and nothing of the value.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most_bytes:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: more than {most_bytes} bytes"
            )
    return _converted(_parsed(bytes(content)), kind)


def _parsed(content: bytes) -> Any:
    try:
        value = msgspec.json.decode(content)
    except RecursionError as error:
        raise _too_deep() from error
    except msgspec.ValidationError as error:
        raise _wrong(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "body: not JSON in UTF-8") from error
    if is_deeper(value, DEEPEST):
        raise _too_deep()
    return value


def _converted(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _wrong(error) from error


def _too_deep() -> HTTPException:
    return HTTPException(HTTPStatus.BAD_REQUEST, f"body: nested more than {DEEPEST} deep")


def _wrong(error: msgspec.ValidationError) -> HTTPException:
    text, _, path = str(error).replace("`", "'").partition(" - at '$")
    where = path.strip("'.") or "body"
    return HTTPException(HTTPStatus.BAD_REQUEST, f"{where}: {text}")
