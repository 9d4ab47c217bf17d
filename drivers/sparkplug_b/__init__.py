"""Eclipse Sparkplug B 3.0: edge nodes that announce their metrics, then send what changes, in Protocol Buffers.

::

    spBv1.0/GROUP/NBIRTH/NODE           every metric of the node: name, alias, datatype, value; begins to count (seq)
    spBv1.0/GROUP/DBIRTH/NODE/DEVICE    the same of a device behind it
    spBv1.0/GROUP/NDATA/NODE            what changed, by alias, or by name where there are no aliases; DDATA likewise
    spBv1.0/GROUP/NDEATH/NODE           the broker says it (a will): the node whose birth had the same bdSeq is gone
    spBv1.0/GROUP/DDEATH/NODE/DEVICE    the node says it: the device is gone
    spBv1.0/GROUP/NCMD/NODE             from the gateway: Node Control/Rebirth = true

Worked: after an NBIRTH with seq 0, a DBIRTH of ``air`` with seq 1 says: pm25, alias 7, Float. The DDATA
``08 80 d0 95 ff bc 31  12 0e 10 07 18 80 d0 95 ff bc 31 65 00 00 48 41  18 02`` is 12.5 ug/m3 under alias 7, seq 2.

The sensor is GROUP/NODE, or GROUP/NODE/DEVICE. A metric with a name of the vocabulary is that field; others are named
by the option ``fields``. Times are those of the edge node, milliseconds UTC, and are a reading's identity: a birth
repeats old values, and none is read twice (after a restart of the gateway, as the same point). What is null,
transient, or not of good quality is left out and named, but in a birth, which names what has no value yet.
A message whose metrics mean no field at all is refused with their names, for ``fields`` may take them up.

Every message has a number, 0 to 255 and around, counted over node and devices; encoders that leave zeros out write no
number for 0, no alias 0, and no value for a zero. Where a number is missing, or no birth was heard, an alias could
mean anything: it is rejected, and a rebirth asked for. A metric that states name and datatype itself is read all the
same. A death is the event ``offline``. What was missed while the gateway was disconnected shows in the numbers, but
for one time in 256. A shared subscription ($share) would split the stream: use none.

The gateway is no primary host: no edge node waits for it, and it publishes no STATE.

Source: the Sparkplug 3.0.0 specification, chapters 4 to 6.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, model_validator

from drivers.common.field_sources import Source
from drivers.common.field_values import FieldReader, check_sources
from drivers.common.json_messages import MAX_MESSAGE, refuse
from drivers.common.protobuf import Malformed
from drivers.common.times import moment
from drivers.sparkplug_b.devices import Meaning, Said, Unborn
from drivers.sparkplug_b.nodes import Node, Nodes
from drivers.sparkplug_b.payload import Payload, parse, rebirth
from drivers.sparkplug_b.values import Refused
from gateway.contract import (
    VOCABULARY,
    Command,
    Driver,
    Kind,
    Measurement,
    MqttLink,
    Options,
    Reject,
    Remark,
    Vocabulary,
)

KINDS = ("air_quality", "parking", "traffic")
WITH_DEVICE = {"NBIRTH": False, "NDATA": False, "NDEATH": False, "DBIRTH": True, "DDATA": True, "DDEATH": True}
FROM_HOSTS = ("NCMD", "DCMD")

Output = Measurement | Reject | Remark | Command


class SparkplugOptions(Options):
    """What metrics mean that do not have the vocabulary's names, and whether their times are right."""

    kind: Kind | None = None
    """Where fields go that several measurements share; left out, where the other fields of a device's birth go."""
    fields: Mapping[
        str, Annotated[Source, BeforeValidator(lambda said: {"path": said} if isinstance(said, str) else said)]
    ] = {}
    """Field -> the metric's whole name, or a table with that as ``path``; ``kind`` is needed as well."""
    time: Literal["metric", "arrival"] = "metric"
    """Whose times count; without the edge node's, births and historical values give no readings."""

    @model_validator(mode="after")
    def _fields_are_known(self) -> "SparkplugOptions":
        if self.kind == "position":
            raise ValueError("a node's place is not read: the kind is air_quality, parking, traffic or your own")
        if self.fields and self.kind is None:
            raise ValueError("say of which kind the fields are")
        if self.fields and self.kind is not None:
            check_sources(self.kind, self.fields, self.vocabulary)
        if len({source.path for source in self.fields.values()}) < len(self.fields):
            raise ValueError("a metric can be one field only")
        return self


def _by_name(vocabulary: Vocabulary) -> dict[str, Meaning]:
    """Return what metrics mean by their names."""
    return {
        name: Meaning(name, field.kinds, FieldReader(field, Source(path=name)))
        for name, field in vocabulary.items()
        if "position" not in field.kinds or len(field.kinds) > 1
    }


_BY_NAME = _by_name(VOCABULARY)


def _described(options: SparkplugOptions) -> Iterator[tuple[str, Meaning]]:
    """Yield what metrics mean as the configuration says."""
    for name, source in options.fields.items():
        field = options.vocabulary[name]
        kinds = field.kinds if options.kind in field.kinds else (str(options.kind),)
        yield source.path, Meaning(name, kinds, FieldReader(field, source))


class Decoder:
    """Keeps births, and reads data by them."""

    def __init__(self, options: SparkplugOptions) -> None:
        by_name = _BY_NAME if options.vocabulary is VOCABULARY else _by_name(options.vocabulary)
        self._meanings = {**by_name, **dict(_described(options))}
        self._kind = options.kind
        self._own_time = options.time == "metric"
        self._nodes = Nodes(options.kind)

    def decode(self, topic: str, payload: bytes) -> Iterable[Output]:
        """See `gateway.contract.MessageDecoder`."""
        if len(payload) > MAX_MESSAGE:
            return [refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")]
        space, group, verb, name, device = (*topic.split("/", 4), "", "", "", "")[:5]
        if space == "spBv1.0" and (verb in FROM_HOSTS or group == "STATE"):
            return [Remark("empty", "what a host says to edge nodes")]
        sensor = f"{group}/{name}/{device}" if device else f"{group}/{name}"
        fits = group and name and "/" not in device and len(sensor) <= 128 and sensor.isprintable()
        fits = fits and "+" not in sensor and "#" not in sensor
        if space != "spBv1.0" or bool(device) != WITH_DEVICE.get(verb) or not fits:
            return [refuse("noise", payload, "no topic of a Sparkplug edge node")]
        try:
            message = parse(payload)
        except Malformed as error:
            return [refuse("noise", payload, f"no Sparkplug payload: {error}")]
        except Refused as error:
            return [refuse(error.reason, payload, str(error))]
        node = self._nodes.get(group, name)
        readings, remarks, problem = self._hear(node, verb, device, message)
        said: list[Output] = [*remarks, *readings]
        self._nodes.bound(node, node.devices.get(device))
        if problem is not None:
            why = f"; {node.why}" if isinstance(problem, Unborn) else ""
            said.append(refuse(problem.reason, payload, f"{problem}{why}"))
        if isinstance(problem, Unborn) or (node.expected is None and verb != "NDEATH"):
            said.append(Command(f"spBv1.0/{group}/NCMD/{name}", rebirth(message.time)))
        return said or [Remark("empty", f"{verb} without a reading")]

    def _hear(self, node: Node, verb: str, name: str, message: Payload) -> Said:
        if verb == "NDEATH":
            if node.bd_seq not in (None, message.bd_seq):
                # It may come after the next birth.
                return Said(remarks=[Remark("empty", "the will of an earlier connection")])
            node.forget("it is offline")
            return Said([event for device in node.devices.values() for event in device.offline(None)])
        if verb == "NBIRTH":
            node.leaves_zeros_out = message.seq is None
            node.born(message.seq or 0, message.bd_seq)
        else:
            node.count(message.seq)
        if node.leaves_zeros_out:
            message = message.with_zeros()
        device, birth = node.device(name), verb.endswith("BIRTH")
        if verb == "DDEATH":
            device.forget()
            return Said(device.offline(moment(message.time, "ms") if self._own_time else None))
        if birth:
            device.born(message.metrics, self._meanings, self._kind)
        if birth and not self._own_time:  # its values are of some time or other
            said = Said()
        else:
            said = device.say(message, self._meanings, own_time=self._own_time, birth=birth)
        if node.expected is None:
            device.forget()
        return said


DRIVER = Driver(
    name="sparkplug_b",
    title="Eclipse Sparkplug B 3.0 (edge nodes over MQTT)",
    link=MqttLink(tuple(f"spBv1.0/+/{verb}/+" + "/+" * device for verb, device in WITH_DEVICE.items())),
    fields=tuple(field for field in VOCABULARY.values() if set(field.kinds) & set(KINDS)),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=SparkplugOptions,
    kinds=KINDS,
    experimental=True,
)
