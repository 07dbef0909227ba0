"""A strict parser of Server-Sent Events, written from section 9.2 of the HTML standard; it takes bytes in pieces of any size."""

import codecs
import re
from dataclasses import dataclass, field

LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass
class SSEParser:
    """Feed it bytes; `messages` holds (last event id, event type, data) of each event that was dispatched."""

    messages: list[tuple[str, str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    retry: int | None = None

    def __post_init__(self):
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text, self._begun = "", False
        self._last_id = self._type = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> None:
        text = self._decoder.decode(chunk)
        if text and not self._begun:
            self._begun, text = True, text.removeprefix("\ufeff")
        self._text += text
        while (end := LINE_END.search(self._text)) and not (end[0] == "\r" and end.end() == len(self._text)):
            line, self._text = self._text[: end.start()], self._text[end.end() :]
            self._line(line)

    def _line(self, line: str) -> None:
        if not line:
            self._dispatch()
        elif line.startswith(":"):
            self.comments.append(line[1:])
        else:
            name, _, value = line.partition(":")
            self._field(name, value.removeprefix(" "))

    def _field(self, name: str, value: str) -> None:
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._last_id = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            self.retry = int(value)

    def _dispatch(self) -> None:
        if self._data:
            self.messages.append((self._last_id, self._type or "message", "\n".join(self._data)))
        self._type, self._data = "", []
