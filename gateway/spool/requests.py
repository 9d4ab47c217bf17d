"""Requests to a spool, carried out by its owner: the daemon while it runs, else the command itself.

A request is a file ``requests/<id>.json``, put there in one step::

    {"do": "requeue", "sink": "influx", "match": "spot-17"}   lines of the quarantine back into the spool
    {"do": "drop", "sink": "influx", "match": null}           lines of the quarantine into the loss ledger
    {"do": "repair"}                                          set damaged pieces aside

The owner of the lock looks there once a second, does it, writes ``requests/done/<id>.json`` and deletes the request.
Killed in between, the next owner goes on where it stopped, so that each request is carried out once:

requeue  The lines are taken out of the quarantine (`gateway.spool.quarantine`) together with the number that the
         spool's next reading had. Each portion is stored as a member with an identity of its own, and the file's name
         moves on. Only the portion whose storing may have been interrupted is looked for in the spool.
drop     The ledger's line carries the request's id; then the lines go.
repair   Pieces go to ``damaged/`` and into the ledger. Readers pass over the place; the segment itself is rewritten
         at the next start, for bytes that a reader is walking over must not move.
"""

import json
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from gateway import line_protocol
from gateway.errors import SpoolError
from gateway.spool.filesystem import Filesystem, replace_file
from gateway.spool.ledger import Ledger, Loss
from gateway.spool.member import Batch, Identity
from gateway.spool.quarantine import Quarantine, Taken
from gateway.spool.quarantine_lines import QuarantinedLine
from gateway.spool.reader import SpoolReader
from gateway.spool.segments import Piece

PORTION = 2_000
PORTION_BYTES = 8 * 1024 * 1024
"""Lines of a requeue that become durable together, and their bytes."""

ANSWERS_KEPT = 50
_SOURCE = zlib.crc32(b"\0requeue")  # no source is called so: names have no control characters

Request = dict[str, Any]
Answer = dict[str, Any]


class Done(NamedTuple):
    """A request that was carried out."""

    request: Request
    answer: Answer


def submit(filesystem: Filesystem, root: Path, request: Request, number: int) -> str:
    """Put a request to the spool in ``root`` and return its id; ``number`` tells two of one moment apart.

    Raises `SpoolError`.
    """
    name = f"{time.time_ns():020}-{number}"
    path = root / "requests" / f"{name}.json"
    try:
        replace_file(filesystem, path, json.dumps(request).encode() + b"\n", durable=True)
    except OSError as error:
        raise SpoolError(f"cannot write {path}: {error.strerror}") from error
    return name


def answer_to(filesystem: Filesystem, root: Path, name: str) -> Answer | None:
    """Return the answer to a request, ``None`` while there is none."""
    with suppress(OSError, ValueError):
        answer = json.loads(filesystem.read(root / "requests" / "done" / f"{name}.json"))
        return answer if isinstance(answer, dict) else {}
    return None


def pending_requests(filesystem: Filesystem, root: Path) -> dict[str, Request]:
    """Return the requests that lie in ``root`` by their names; one that makes no sense is empty."""
    pending: dict[str, Request] = {}
    with suppress(OSError):
        for file in filesystem.names(root / "requests"):
            name, dot, kind = file.partition(".")
            if dot and kind == "json":
                pending[name] = _read(filesystem, root / "requests" / file)
    return pending


def _read(filesystem: Filesystem, path: Path) -> Request:
    with suppress(OSError, ValueError):
        request = json.loads(filesystem.read(path))
        return request if isinstance(request, dict) else {}
    return {}


def put_answer(filesystem: Filesystem, root: Path, name: str, answer: Answer) -> None:
    """Answer a request, durably; of old answers the newest few stay. Raises `SpoolError`."""
    directory = root / "requests" / "done"
    path = directory / f"{name}.json"
    try:
        replace_file(filesystem, path, json.dumps(answer).encode() + b"\n", durable=True)
        for old in sorted(filesystem.names(directory))[:-ANSWERS_KEPT]:
            filesystem.unlink(directory / old)
    except OSError as error:
        raise SpoolError(f"cannot write {path}: {error.strerror}") from error


def withdraw(filesystem: Filesystem, root: Path, name: str) -> None:
    """Delete a request that is answered; where that fails it is answered already when it is seen again."""
    with suppress(OSError):
        filesystem.unlink(root / "requests" / f"{name}.json")


class OpenSpool(Protocol):
    """What requests need of the spool that they are for."""

    root: Path
    ledger: Ledger
    quarantine: Quarantine

    @property
    def next_seq(self) -> int:
        """The sequence number that the next reading gets."""

    def commit(self, group: Sequence[Batch]) -> object:
        """Make a group durable. Raises `SpoolError`."""

    def reader(self) -> SpoolReader:
        """Return a new reader."""

    def set_aside_damage(self) -> list[Piece]:
        """Put every damaged piece into ``damaged/`` and the ledger. Raises `SpoolError`."""


class Clerk:
    """Carries out the requests to one open spool; one thread."""

    def __init__(self, spool: OpenSpool, filesystem: Filesystem) -> None:
        self._spool = spool
        self._filesystem = filesystem
        self._verbs: dict[str, Callable[[str, Request], Answer]] = {
            "requeue": self._requeue,
            "drop": self._drop,
            "repair": self._repair,
        }

    def carry_out(self) -> list[Done]:
        """Do what is asked, and return it. Raises `SpoolError` when the disk would not have it: ask again later."""
        done = []
        for name, request in sorted(self._pending().items()):
            answer = answer_to(self._filesystem, self._spool.root, name)
            if answer is None:
                answer = self._do(name, request)
                put_answer(self._filesystem, self._spool.root, name, answer)
                done.append(Done(request, answer))
            if "error" not in answer:  # else what was taken out lies there, for a person to look into
                for taken in self._taken(name):
                    self._spool.quarantine.forget(taken)
            withdraw(self._filesystem, self._spool.root, name)
        return done

    def _pending(self) -> dict[str, Request]:
        """Return the requests by their names; lines that were taken out ask for themselves."""
        pending: dict[str, Request] = {
            taken.request: {"do": taken.verb, "sink": taken.sink} for taken in self._spool.quarantine.taken()
        }
        return pending | pending_requests(self._filesystem, self._spool.root)

    def _do(self, name: str, request: Request) -> Answer:
        do = self._verbs.get(str(request.get("do")))
        try:
            return do(name, request) if do else {"error": "this version does not know what is asked"}
        except (KeyError, TypeError, ValueError) as error:
            return {"error": f"the request makes no sense: {error}"}

    def _taken(self, name: str) -> list[Taken]:
        return [taken for taken in self._spool.quarantine.taken() if taken.request == name]

    def _take_out(self, name: str, request: Request, mark: str, verb: str) -> list[Taken]:
        """Return the lines that are out for this request, taken out now if they are not yet."""
        taken = self._taken(name)
        if taken:
            return taken
        match = request.get("match")
        wanted = match.encode() if isinstance(match, str) else b""
        self._spool.quarantine.take_out(
            str(request["sink"]), name, mark, verb, lambda one: wanted in one.line or wanted in one.reason.encode()
        )
        return self._taken(name)

    def _requeue(self, name: str, request: Request) -> Answer:
        count = 0
        for out in self._take_out(name, request, f"{self._spool.next_seq}-0", "requeue"):
            taken = out
            seq, portion = map(int, taken.mark.split("-"))
            stored = self._stored(seq)
            for number, batch in enumerate(_portions(self._spool.quarantine.read_taken(taken))):
                count += batch.count
                if number < portion or (number == portion and batch.identities[0] in stored):
                    continue
                self._spool.commit([batch])
                taken = self._spool.quarantine.move_on(taken, f"{self._spool.next_seq}-{number + 1}")
        return {"readings": count, "left_bytes": self._left(request)}

    def _stored(self, seq: int) -> set[Identity]:
        """Return the identities of requeued portions from reading ``seq`` on."""
        headers = self._spool.reader().headers(seq)
        return {identity for header in headers for identity in header.identities() if identity.source == _SOURCE}

    def _drop(self, name: str, request: Request) -> Answer:
        count = 0
        for taken in self._take_out(name, request, "0", "drop"):
            lines = [one.line for one in self._spool.quarantine.read_taken(taken)]
            times = [time for line in lines if (time := line_protocol.time_of(line)) is not None]
            count += len(lines)
            try:
                if not self._spool.ledger.knows("dropped", taken.path.name, None):
                    why = f"a person dropped it from the quarantine of {taken.sink}"
                    span = min(times, default=None), max(times, default=None)
                    sensors = line_protocol.sensors_in(b"\n".join(lines))
                    self._spool.ledger.record(
                        Loss("dropped", why, None, None, len(lines), *span, taken.path.name, sensors=sensors)
                    )
                self._spool.ledger.flush()
            except OSError as error:
                raise SpoolError(f"cannot write the loss ledger: {error.strerror}") from error
        return {"readings": count, "left_bytes": self._left(request)}

    def _left(self, request: Request) -> int:
        return self._spool.quarantine.size(str(request["sink"]))

    def _repair(self, name: str, request: Request) -> Answer:
        del name, request
        return {"set_aside": [str(piece) for piece in self._spool.set_aside_damage()]}


def _portions(lines: list[QuarantinedLine]) -> Iterator[Batch]:
    """Cut lines into batches, always in the same way."""
    number = 0
    for boot, group in groupby(lines, lambda one: one.boot):
        for portion in _cut([one.line for one in group]):
            times = [time for line in portion if (time := line_protocol.time_of(line)) is not None]
            text = b"\n".join((*portion, b""))
            identity = Identity(_SOURCE, number % 65_536, zlib.crc32(text))
            yield Batch(text, len(portion), min(times), max(times), boot, (identity,))
            number += 1


def _cut(lines: list[bytes]) -> Iterator[list[bytes]]:
    start = size = 0
    for number, line in enumerate(lines):
        if number - start == PORTION or (size and size + len(line) + 1 > PORTION_BYTES):
            yield lines[start:number]
            start, size = number, 0
        size += len(line) + 1
    yield lines[start:]
