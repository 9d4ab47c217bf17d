"""From what paho calls the end of a connection to our errors; `gateway.mqtt.reasons` says what brokers mean."""

from paho.mqtt.client import DisconnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.errors import LinkDown, LinkDropped, LinkRefused
from gateway.links.mqtt.settings import MqttSettings
from gateway.mqtt.reasons import connection_ended, connection_refused


def why_refused(reason: ReasonCode, properties: Properties | None, protocol: str) -> LinkDown:
    """Return what a CONNACK that is no success means, where MQTT of this version was spoken."""
    return connection_refused(reason.value, _words(reason, properties), protocol=protocol, server=_server(properties))


def why_ended(
    flags: DisconnectFlags,
    reason: ReasonCode,
    properties: Properties | None,
    *,
    settings: MqttSettings,
    open_: bool,
) -> LinkDown:
    """Return why a connection ended; ``open_`` tells whether it had been accepted and subscribed."""
    if flags.is_disconnect_packet_from_server:
        words, server = _words(reason, properties), _server(properties)
        return connection_ended(reason.value, words, client_id=settings.client_id, server=server)
    match reason.getName():
        case "Keep alive timeout":
            return LinkDown(f"no answer for {settings.keepalive:g} s: the network is cut, or the broker hangs")
        case "Unspecified error" | "Success":
            return LinkDropped("the broker closed the connection without a word")
        case "Protocol error" if not open_:
            other = "3.1.1" if settings.protocol == "5" else "5"
            return LinkRefused(f'the broker does not speak MQTT {settings.protocol}: set protocol = "{other}"')
        case name:
            return LinkDown(f"connection lost: {name}")


def refused_topics(topics: tuple[str, ...], reasons: list[ReasonCode]) -> LinkRefused | None:
    """Return the refusal of a subscription with the topics that are concerned; None where all were granted."""
    answers = zip(topics, reasons, strict=False)
    refused = [f"{topic} ({reason})" for topic, reason in answers if reason.is_failure]
    return LinkRefused(f"the broker refused the subscription to {', '.join(refused)}") if refused else None


def downgraded_topics(topics: tuple[str, ...], reasons: list[ReasonCode], wanted: int) -> str:
    """Return which topics are granted with a lower quality of service than asked for; "" where none."""
    less = [topic for topic, reason in zip(topics, reasons, strict=False) if reason.value < wanted]
    if not less:
        return ""
    return f"the broker grants QoS 0 where we asked for {wanted}: what is lost on the way is gone ({', '.join(less)})"


def _words(reason: ReasonCode, properties: Properties | None) -> str:
    """Return the broker's reason, with what it adds in MQTT 5."""
    more = getattr(properties, "ReasonString", "")
    return f"{reason} ({more})" if more else str(reason)


def _server(properties: Properties | None) -> str:
    return str(getattr(properties, "ServerReference", ""))
