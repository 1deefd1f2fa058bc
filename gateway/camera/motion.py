"""Whether something moves, so that the classifier looks only when there is something to look at. Pure."""

from gateway.camera.grey import Cells, Grey, changed

# Own choice: twice the noise of cheap cameras at night, which stays below 8 grey levels after averaging.
LEAST = 14.0
# Own choice: half a percent of the frame is a person at 20 m in a usual wide view.
SHARE = 0.005
_RATE = 0.2


class Motion:
    """Compares each grey with a quick average of those before it."""

    def __init__(self) -> None:
        self._usual: Grey | None = None

    def step(self, grey: Grey) -> tuple[float, Cells | None]:
        """The share of the frame that moves (0 to 1) and where; nothing at the first look."""
        if self._usual is None:
            self._usual = grey.copy()
            return 0.0, None
        cells = changed(grey, self._usual, LEAST)
        self._usual += _RATE * (grey - self._usual)
        return float(cells.mean()), cells
