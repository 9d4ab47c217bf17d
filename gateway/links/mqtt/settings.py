"""What may be set about a connection that reads from an MQTT broker."""

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.mqtt.broker import BrokerSettings, Qos
from gateway.settings import Duration, Name


def _topic_filter(value: str) -> str:
    levels = value.split("/")
    if "#" in "".join(levels[:-1]) or any(len(level) > 1 and set(level) & set("#+") for level in levels):
        raise ValueError('in a topic, "+" stands for one whole level and "#" for all that follow')
    return value


TopicFilter = Annotated[Name, AfterValidator(_topic_filter)]


class MqttSettings(BrokerSettings):
    """A broker, and the session there; without ``topics`` the driver's own are meant."""

    topics: tuple[TopicFilter, ...] = ()
    qos: Qos = 1
    session_expiry: Duration = 7 * 86400.0
    receive_maximum: int = Field(1000, ge=1, le=5000)
