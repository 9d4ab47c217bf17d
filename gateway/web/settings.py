"""What may be set about the health page and the metrics."""

from typing import Annotated

from pydantic import AfterValidator

from gateway.settings import Settings


def _listen(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError('write it as "address:port", for example "127.0.0.1:8080"')
    return value


class WebSettings(Settings):
    """``[web]``: where the page is served."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8080"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)
