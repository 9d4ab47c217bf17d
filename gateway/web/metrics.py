"""The daemon's numbers in Prometheus' exposition format."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from gateway.health import Health
from gateway.spool import SpoolStatus

CONTENT_TYPE = CONTENT_TYPE_LATEST


def render(health: Health, spool: SpoolStatus) -> bytes:
    """Return everything as it is at this moment."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Metrics(health, spool))
    return generate_latest(registry)


class _Metrics(Collector):
    """The daemon's numbers at the moment of a scrape."""

    def __init__(self, health: Health, spool: SpoolStatus) -> None:
        self._health = health
        self._spool = spool
        self._ages = spool.ages(health.clock.wall())

    def collect(self) -> Iterator[Metric]:
        health, spool = self._health, self._spool
        yield GaugeMetricFamily(
            "prehod_clock_known", "1 once the wall clock is known to be right", health.clock_known
        )
        yield from self._gateway()
        yield GaugeMetricFamily("prehod_sensors", "Sensors heard of since the start", len(health.sensors))
        yield GaugeMetricFamily("prehod_spool_bytes", "Bytes in the spool's segments", spool.bytes)
        yield GaugeMetricFamily("prehod_spool_free_bytes", "Bytes free on its file system", spool.free_bytes)
        yield CounterMetricFamily("prehod_readings_committed", "Readings made durable", health.committed)
        yield CounterMetricFamily("prehod_commits", "Group commits", health.commits)
        yield CounterMetricFamily("prehod_readings_lost", "Readings in the loss ledger", spool.lost_readings)
        yield CounterMetricFamily("prehod_readings_refused", "Readings turned away, see the ledger", health.refused)
        yield GaugeMetricFamily("prehod_stuck", "Parts that do nothing although they should", len(health.stuck))
        if (kept := health.kept) is not None:
            yield GaugeMetricFamily("prehod_refused_bytes", "Bytes of refused messages on disk", kept.bytes)
            yield GaugeMetricFamily("prehod_refused_kept", "Refused messages that are kept", kept.kept)
            yield GaugeMetricFamily("prehod_refused_counted", "Refused messages that are only counted", kept.counted)
        yield from self._pressure()
        yield from self._sources()
        yield from self._sinks()

    def _gateway(self) -> Iterator[Metric]:
        health = self._health
        source = GaugeMetricFamily("prehod_clock_source", "1 for what tells the time", labels=["source"])
        source.add_metric([health.clock_source], 1)
        yield source
        if health.gnss is not None and health.gnss.clock_off is not None:
            off = health.gnss.clock_off
            yield GaugeMetricFamily("prehod_clock_off_seconds", "The machine's clock less satellite time", off)
        if health.location is not None:
            place = GaugeMetricFamily("prehod_location_degrees", "Where the gateway stands", labels=["axis"])
            for axis, degrees in zip(("latitude", "longitude"), health.location, strict=True):
                place.add_metric([axis], degrees)
            yield place

    def _pressure(self) -> Iterator[Metric]:
        if (pressure := self._health.pressure) is None:
            return
        for name, what, value in (
            ("fill_ratio", "1 when a bound of the spool is met by what no sink took", pressure.fill),
            ("undelivered_bytes", "Bytes that some sink has not got", pressure.undelivered),
            ("room_bytes", "Bytes that may be written before a bound is met", pressure.room),
            ("readings_in_per_second", "Readings made durable, over a minute", pressure.readings_in),
            ("bytes_in_per_second", "Bytes written, over a minute", pressure.bytes_in),
        ):
            yield GaugeMetricFamily(f"prehod_spool_{name}", what, value)
        if pressure.hours_left is not None:
            left = pressure.hours_left * 3600
            yield GaugeMetricFamily("prehod_spool_full_in_seconds", "At the rates of the last minute", left)
        out = GaugeMetricFamily("prehod_sink_readings_per_second", "Delivered, over a minute", labels=["sink"])
        for name, rate in pressure.readings_out.items():
            out.add_metric([name], rate)
        yield out

    def _sources(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("prehod_source_up", "1 while the link is up", labels=["source"])
        readings = CounterMetricFamily("prehod_source_readings", "Readings taken", labels=["source"])
        repeated = CounterMetricFamily("prehod_source_repeated", "Messages that came again", labels=["source"])
        rejects = CounterMetricFamily(
            "prehod_source_rejects", "Frames and messages refused", labels=["source", "reason"]
        )
        answers = CounterMetricFamily(
            "prehod_source_answers", "Requests of an HTTP source answered", labels=["source", "status"]
        )
        refused = CounterMetricFamily(
            "prehod_source_refused", "Messages that became no reading, or not all of them", labels=["source"]
        )
        retained = CounterMetricFamily(
            "prehod_source_retained_skipped", "Retained messages without a time, left out", labels=["source"]
        )
        remarks = CounterMetricFamily("prehod_source_remarks", "What was odd and read", labels=["source", "kind"])
        findings = GaugeMetricFamily("prehod_source_findings", "What a person should look at", labels=["source"])
        now = self._health.clock.monotonic()
        for name, source in self._health.sources.items():
            refused.add_metric([name], source.refused)
            retained.add_metric([name], source.retained)
            findings.add_metric([name], len(list(source.findings(now))))
            for kind in sorted({kind for kind, _ in source.remarks}):
                remarks.add_metric([name, kind], sum(n for (of, _), n in source.remarks.items() if of == kind))
            for status, count in source.answers.items():
                answers.add_metric([name, str(status)], count)
            up.add_metric([name], source.link.up)
            readings.add_metric([name], source.readings)
            repeated.add_metric([name], source.repeated)
            for reason, count in source.rejects.items():
                rejects.add_metric([name, reason], count)
        yield from (up, readings, repeated, rejects, refused, retained, remarks, findings, answers)

    def _sinks(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("prehod_sink_up", "1 while the sink takes readings", labels=["sink"])
        pending = GaugeMetricFamily("prehod_sink_pending_readings", "Readings not yet delivered", labels=["sink"])
        readings = CounterMetricFamily("prehod_sink_readings", "Readings delivered", labels=["sink"])
        quarantined = CounterMetricFamily("prehod_sink_quarantined", "Readings refused for good", labels=["sink"])
        oldest = GaugeMetricFamily("prehod_sink_oldest_pending_seconds", "Age of the next reading", labels=["sink"])
        for name in self._health.sinks.keys() & self._spool.sinks.keys():
            oldest.add_metric([name], self._ages.get(name, 0.0))
        for name, sink in self._health.sinks.items():
            up.add_metric([name], sink.link.up)
            pending.add_metric([name], sink.pending)
            readings.add_metric([name], sink.readings)
            quarantined.add_metric([name], sink.quarantined)
        yield from (up, pending, readings, quarantined, oldest)
