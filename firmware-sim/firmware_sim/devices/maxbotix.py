"""Twin of the MaxBotix HRXL-MaxSonar-WR and XL-MaxSonar-WR, ultrasonic distance meters (9600 8N1).

Source: MaxBotix data sheets PD11500 (HRXL) and of the XL-MaxSonar-WR. After a line about itself it says, by itself::

    R1234<CR>       HRXL: mm; 0300 for anything nearer, 5000 where nothing is seen
    R123<CR>        XL: cm; 020 for anything nearer, 765 where nothing is seen
"""

from functools import partial
from typing import Literal

from firmware_sim.parts.ranging import Ranger
from firmware_sim.parts.twin import Frame, Variant
from firmware_sim.truth.ledger import Truth

DRIVER = "maxbotix"
SOURCE = {"options": {"interval": "0s"}}
BANNER = b"HRXL-MaxSonar-WR\rPN:MB7360\rCopyright 2011-2012\rMaxBotix Inc.\rRoHS 1.8b  090  0612\rTempI\r"


class Maxbotix(Ranger):
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, family: Literal["hrxl", "xl"] = "hrxl") -> None:
        super().__init__(name, truth, seed, 0.15, self._line)
        self._digits, self.step, self._nearest, self._furthest = (
            (4, 1, 300, 5000) if family == "hrxl" else (3, 10, 20, 765)
        )
        self._awake = False

    def tick(self, now: float) -> list[Frame]:
        """Introduce itself once, then measure."""
        said = super().tick(now)
        if not said or self._awake:
            return said
        self._awake = True
        return [*self.wire.send(BANNER), *said]

    def power_cycle(self, now: float) -> None:
        """Start anew, with an introduction."""
        super().power_cycle(now)
        self._awake = False

    def _line(self, millimetres: int | None) -> bytes:
        if millimetres is None:
            number = self._furthest
        else:
            number = min(max(millimetres // self.step, self._nearest), self._furthest)
        return b"R%0*d\r" % (self._digits, number)


TWIN = Maxbotix
VARIANTS = {"maxbotix_xl": Variant(partial(Maxbotix, family="xl"), {"unit": "cm", "interval": "0s"})}
