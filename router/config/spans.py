"""Changes to spans of a text, made all at once, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Edits:
    """Spans of a text, and what is to stand there instead."""

    text: str
    spans: list[tuple[int, int, str]] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    is_windows: bool = field(init=False)
    """Its lines end with a carriage return, too."""

    def __post_init__(self) -> None:
        self.is_windows = "\r\n" in self.text

    def replace(self, start: int, end: int, new: str) -> None:
        """Lines of *new* end as those of the text do."""
        self.spans.append((start, end, new.replace("\n", "\r\n") if self.is_windows else new))

    def line_start(self, index: int) -> int:
        return self.text.rfind("\n", 0, index) + 1

    def line_end(self, index: int) -> int:
        """The end of the line, before its break."""
        end = self.text.find("\n", index)
        if end < 0:
            return len(self.text)
        return end - 1 if end > index and self.text[end - 1] == "\r" else end

    def next_line(self, index: int) -> int:
        end = self.text.find("\n", index)
        return len(self.text) if end < 0 else end + 1

    def result(self) -> str:
        done, made = 0, []
        for start, end, new in sorted(self.spans, key=lambda span: span[:2]):
            made += [self.text[done:start], new]
            done = end
        return "".join([*made, self.text[done:]])
