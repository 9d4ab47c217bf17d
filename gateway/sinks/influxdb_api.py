"""influxdb-client's HTTP client, without the generated classes that writing does not need.

Four packages of influxdb-client import all of their modules when any one is imported: some 400 modules, 16 MiB of
memory, on boards that have 512. Writing line protocol needs a dozen of them. Whatever else uses influxdb-client in
the same process finds all of it.
"""

import ssl

import aiohttp

from gateway.sinks.lazy_packages import install_lazily

for _package in ("influxdb_client", "influxdb_client.client", "influxdb_client.domain", "influxdb_client.service"):
    install_lazily(_package)

from influxdb_client._async.api_client import ApiClientAsync  # noqa: E402 -- it would import all of the packages above
from influxdb_client.configuration import Configuration  # noqa: E402 -- likewise
from influxdb_client.rest import ApiException  # noqa: E402 -- likewise

__all__ = ["ApiClientAsync", "ApiException", "make_client"]


def make_client(url: str, timeout: float, context: ssl.SSLContext | None, proxy: str | None) -> ApiClientAsync:
    """Return a client for one server: it keeps one connection, follows no redirect, and says nothing of who we are.

    ``timeout`` is that of a whole request, in seconds.
    """
    configuration = Configuration()
    configuration.host = url.rstrip("/")
    configuration.timeout = aiohttp.ClientTimeout(total=timeout)
    configuration.ssl_context = context
    configuration.proxy = proxy
    configuration.connection_pool_maxsize = 1
    return ApiClientAsync(configuration, allow_redirects=False)
