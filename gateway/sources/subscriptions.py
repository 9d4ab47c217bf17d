"""The topic filters that our session at a broker may have, kept in a small file.

A broker keeps the subscriptions of a persistent session, also those that have left the configuration since. So what
was ever asked for is remembered until the broker was told to forget it.
"""

from contextlib import suppress
from pathlib import Path

from gateway.errors import SpoolError
from gateway.spool.filesystem import Filesystem, OsFilesystem, read_checked, save_checked


class Subscriptions:
    """What one source has asked of one session; ``session`` names that: another session begins with nothing."""

    def __init__(self, path: Path, session: str, filesystem: Filesystem | None = None) -> None:
        self._path = path
        self._session = session
        self._filesystem = filesystem or OsFilesystem()
        self._known: tuple[str, ...] | None = None

    @property
    def known(self) -> tuple[str, ...]:
        """The filters that the session may have."""
        if self._known is None:
            self._known = ()
            with suppress(OSError, ValueError):
                state = read_checked(self._filesystem, self._path)
                topics = state.get("topics")
                if state.get("session") == self._session and isinstance(topics, list):
                    self._known = tuple(str(topic) for topic in topics)
        return self._known

    def remember(self, topics: tuple[str, ...]) -> None:
        """Have the file hold exactly these, durably; a full disk is tried again with the next connection."""
        if set(topics) == set(self.known):
            return
        self._known = topics
        try:
            self._filesystem.make_directory(self._path.parent)
            state = {"version": 1, "session": self._session, "topics": list(topics)}
            save_checked(self._filesystem, self._path, state, durable=True)
        except (OSError, SpoolError):
            self._known = None
