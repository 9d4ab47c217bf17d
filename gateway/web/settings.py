"""What may be set about the health page and the metrics."""

from gateway.settings import Listen, Settings, host_and_port


class WebSettings(Settings):
    """``[web]``: where the page is served."""

    listen: Listen = "127.0.0.1:8080"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return host_and_port(self.listen)
