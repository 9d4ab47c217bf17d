"""RFC 2217: a serial server that sets up its port as we say, within Telnet.

::

    FF FB oo   WILL     FF FC oo   WONT     FF FD oo   DO     FF FE oo   DONT      oo option
    FF FA 2C cc vv .. FF F0        a command cc of the COM-PORT option and its value; the server answers cc + 100
    FF FF                          a byte FF of data

    1  baud rate, 4 bytes      2  data bits     3  parity: 1 none, 2 odd, 3 even, 4 mark, 5 space
    4  stop bits: 1, 2, 3 is 1.5                5  control: 1 no flow control, 8 DTR on, 11 RTS on

pyserial has a client as well; it reads in a thread of its own, through a queue, and no event loop can watch it.

Sources: RFC 854, 856, 858; RFC 2217.
"""

import socket
from contextlib import suppress

from gateway.errors import LinkDown, LinkRefused
from gateway.links.line_settings import NetworkPort, SerialSettings
from gateway.links.tcp import READ_SIZE, FramedPort, connect

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, SUPPRESS_GO_AHEAD, COM_PORT = 0, 3, 44
OURS = (BINARY, SUPPRESS_GO_AHEAD, COM_PORT)
"""The options that both sides use."""

BAUDRATE, DATABITS, PARITY, STOPBITS, CONTROL = 1, 2, 3, 4, 5
ANSWER = 100
"""What a server adds to the command that it answers."""
NAMES = {BAUDRATE: "baudrate", DATABITS: "data bits", PARITY: "parity", STOPBITS: "stop bits"}
PARITIES = {"N": 1, "O": 2, "E": 3, "M": 4, "S": 5}
STOPS = {1: 1, 2: 2, 1.5: 3}
NO_FLOW_CONTROL, DTR_ON, RTS_ON = 1, 8, 11

LONGEST = 64
"""Bytes of a command that are kept; the known ones have at most four."""
NEGOTIATE_WITHIN = 3.0
"""Seconds."""

HUNG_UP = "it closed the connection while the line was set up: does another program hold it?"
NOT_SPOKEN = "it does not speak RFC 2217: write socket:// for rfc2217://, and set the line up in the server itself"


class ComPort:
    """Telnet with the COM-PORT option, from the client's side; see `gateway.links.tcp.Framing`."""

    def __init__(self, settings: SerialSettings) -> None:
        self._wanted = {
            BAUDRATE: settings.baudrate.to_bytes(4, "big"),
            DATABITS: bytes((settings.databits,)),
            PARITY: bytes((PARITIES[settings.parity],)),
            STOPBITS: bytes((STOPS[settings.stopbits],)),
        }
        controls = {NO_FLOW_CONTROL: True, DTR_ON: settings.dtr is not False, RTS_ON: settings.rts is not False}
        self._controls = [value for value, wanted in controls.items() if wanted]
        self._unanswered = set(self._wanted)
        self._granted = False
        self._command = bytearray()
        """What has come of a Telnet command, from its IAC on."""

    @property
    def ready(self) -> bool:
        """Whether the server has set up everything as it was told."""
        return self._granted and not self._unanswered

    @property
    def granted(self) -> bool:
        """Whether the server lets us set up its port."""
        return self._granted

    def hello(self) -> bytes:
        """Return what begins the conversation."""
        return b"".join(bytes((IAC, verb, option)) for option in OURS for verb in (WILL, DO))

    def encode(self, data: bytes) -> bytes:
        """Return data as it goes over the network."""
        return data.replace(b"\xff", b"\xff\xff")

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the bytes of the line, and what Telnet is to be answered; ``ValueError`` for a refusal."""
        line, answer = bytearray(), bytearray()
        for byte in data:
            if not self._command:
                if byte == IAC:
                    self._command.append(byte)
                else:
                    line.append(byte)
                continue
            self._command.append(byte)
            if self._command == b"\xff\xff":
                line.append(IAC)
                self._command.clear()
            elif self._is_whole():
                answer += self._obey(bytes(self._command))
                self._command.clear()
            elif len(self._command) > LONGEST:
                del self._command[2:-1]  # its end is still looked for
        return bytes(line), bytes(answer)

    def _is_whole(self) -> bool:
        command = self._command
        if command[1] in (WILL, WONT, DO, DONT):
            return len(command) == 3
        if command[1] != SB:
            return len(command) == 2
        # An IAC in a value comes twice, so one before SE is an end only if it is no second one.
        trailing = len(command[2:-1]) - len(command[2:-1].rstrip(b"\xff"))
        return command[-1] == SE and trailing % 2 == 1

    def _obey(self, command: bytes) -> bytes:
        """Return the answer to a whole command of Telnet."""
        verb, option = command[1], command[2] if len(command) > 2 else -1
        if verb == SB and option == COM_PORT:
            self._answered(command[3] - ANSWER, command[4:-2].replace(b"\xff\xff", b"\xff"))
        elif verb in (WILL, DO) and option not in OURS:
            return bytes((IAC, DONT if verb == WILL else WONT, option))
        elif verb == DONT and option == COM_PORT:
            raise ValueError(NOT_SPOKEN)
        elif verb == DO and option == COM_PORT and not self._granted:
            self._granted = True
            return self._settings()
        return b""

    def _settings(self) -> bytes:
        commands = [*self._wanted.items(), *((CONTROL, bytes((value,))) for value in self._controls)]
        return b"".join(
            bytes((IAC, SB, COM_PORT, command)) + self.encode(value) + bytes((IAC, SE)) for command, value in commands
        )

    def _answered(self, command: int, value: bytes) -> None:
        wanted = self._wanted.get(command)
        if wanted is None:
            return
        if value != wanted:
            asked, told = (_words(command, one) for one in (wanted, value))
            raise ValueError(f"the server cannot set {NAMES[command]} {asked}: it has {told}")
        self._unanswered.discard(command)


def _words(command: int, value: bytes) -> str:
    number = int.from_bytes(value, "big")
    codes: dict[int, dict[int, object]] = {
        PARITY: {code: parity for parity, code in PARITIES.items()},
        STOPBITS: {code: bits for bits, code in STOPS.items()},
    }
    return str(codes.get(command, {}).get(number, number))


def open_rfc2217(where: NetworkPort, settings: SerialSettings) -> tuple[FramedPort, bytes]:
    """Open a line of a serial server and set it up; returns it, and what came meanwhile. Blocks.

    Raises `LinkDown`, or `LinkRefused` where the server does not do as it is told.
    """
    opened = connect(where)
    try:
        com_port = ComPort(settings)
        early = _negotiate(opened, com_port)
        if not com_port.granted:
            raise LinkRefused(f"{where}: {NOT_SPOKEN}")
    except ValueError as error:
        opened.close()
        raise LinkRefused(f"{where}: {error}") from None
    except OSError as error:
        opened.close()
        words = (
            HUNG_UP if isinstance(error, ConnectionError) else f"the connection is lost: {error.strerror or error}"
        )
        raise LinkDown(f"{where}: {words}") from error
    except LinkDown:
        opened.close()
        raise
    opened.setblocking(False)
    return FramedPort(opened, str(where), com_port), early


def _negotiate(opened: socket.socket, com_port: ComPort) -> bytes:
    """Talk until the server has set everything up, or says no more; return what came of the line meanwhile."""
    opened.settimeout(NEGOTIATE_WITHIN)
    opened.sendall(com_port.hello())
    early = b""
    with suppress(TimeoutError):
        while not com_port.ready:
            received = opened.recv(READ_SIZE)
            if not received:
                raise ConnectionAbortedError
            line, answer = com_port.decode(received)
            early += line
            if answer:
                opened.sendall(answer)
    return early
