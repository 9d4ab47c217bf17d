"""Settings of a database for tests: organisation ``o`` and bucket ``b``, unless a ``database`` is named (v1)."""

from typing import Any

from gateway.sinks.settings import InfluxSettings


def influx_settings(url: str, *, database: str | None = None, **more: Any) -> InfluxSettings:  # noqa: ANN401 -- any setting
    if database is not None:
        return InfluxSettings(url=url, api="v1", database=database, **more)
    return InfluxSettings(url=url, **{"org": "o", "bucket": "b", **more})
