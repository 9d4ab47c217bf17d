"""The table of ``prehod watch``: every topic with its last value. It needs rich, so only who draws it imports it."""

import asyncio
import time
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from gateway.units import format_duration, many

MAX_TOPICS = 5000


@dataclass(slots=True)
class Topic:
    """What is known of one topic."""

    first: float
    last: float = 0.0
    count: int = 0
    text: str = ""

    def rate(self, now: float) -> float:
        """Return messages a minute since its first."""
        return 60 * (self.count - 1) / (now - self.first) if self.count > 1 and now > self.first else 0.0


@dataclass(slots=True)
class Board:
    """All topics seen."""

    topics: dict[str, Topic] = field(default_factory=dict)
    dropped: int = 0

    def note(self, topic: str, text: str, now: float) -> None:
        """Take a message."""
        known = self.topics.get(topic)
        if known is None:
            if len(self.topics) >= MAX_TOPICS:
                self.dropped += 1
                return
            known = self.topics[topic] = Topic(now)
        known.last = now
        known.text = text
        known.count += 1


async def draw(board: Board, topics: list[str]) -> None:
    """Redraw the board four times a second, until it is cancelled."""
    with Live(render(board, topics), refresh_per_second=4, screen=True) as live:
        while True:
            await asyncio.sleep(0.25)
            live.update(render(board, topics))


def render(board: Board, topics: list[str]) -> Table:
    """Draw the board as a table; topics in order of their names, the oldest signs of life in red."""
    now = time.monotonic()
    shared = _shared(topics)
    rest = ", ".join(topic.removeprefix(shared) for topic in topics)
    title = f"{many(len(board.topics), 'topic')} under {shared}: {rest}" if shared else rest
    table = Table(title=escape(title), title_justify="left", expand=True, box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("topic", no_wrap=True)
    table.add_column("last value", ratio=1, no_wrap=True)  # on a narrow terminal it alone is cut
    table.add_column("age", justify="right", no_wrap=True)
    table.add_column("a minute", justify="right", no_wrap=True)
    for name, topic in sorted(board.topics.items()):
        age = now - topic.last
        style = "red" if age > 300 else ("yellow" if age > 60 else "")
        row = (escape(name.removeprefix(shared)), escape(topic.text), format_duration(age), f"{topic.rate(now):.1f}")
        table.add_row(*row, style=style)
    return table


def _shared(topics: list[str]) -> str:
    """Return the levels with which all topic filters begin, "" for none: every row would say them again."""
    shared = ""
    for levels in zip(*(topic.split("/")[:-1] for topic in topics), strict=False):
        if len(set(levels)) > 1 or levels[0] in ("+", "#"):
            break
        shared += f"{levels[0]}/"
    return shared
