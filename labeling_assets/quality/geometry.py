"""Is the form of a region plausible? Each function gives a reason, or None if nothing is wrong."""

import numpy as np
from numpy.typing import NDArray

from labeling_assets.mapping.kinds import outline
from labeling_assets.mapping.region import Region


def geometry_problem(region: Region, *, tolerance: float = 0.1) -> str | None:
    """The first thing that is wrong with the region's form; None also for regions without a form that is known."""
    return inside_picture(region, tolerance=tolerance) or zero_area(region)


def inside_picture(region: Region, *, tolerance: float = 0.1) -> str | None:
    """Whether every corner is inside the picture as shown, the border included.

    `tolerance` is in percent of the width or height: a corner may be that far outside. The editor keeps forms
    inside; predictions and imported annotations may be anywhere.
    """
    corners = outline(region)
    if not corners:
        return None
    points = np.asarray(corners, dtype=np.float64)
    beyond = np.maximum(-points, points - 100).max(axis=0)
    if beyond.max() <= tolerance:
        return None
    axis = int(beyond.argmax())
    values = points[:, axis]
    worst = float(values[np.maximum(-values, values - 100).argmax()])
    return f"a corner is at {worst:.4g} % of the picture's {('width', 'height')[axis]}"


def zero_area(region: Region) -> str | None:
    """Whether the corners are on one line or fewer than three; lines that are left open need no area."""
    corners = outline(region)
    if corners is None or region.properties.get("LS_closed") is False:
        return None
    if len(corners) < 3:
        return f"{len(corners)} points span no area"
    return "zero area" if _widest_triangle(np.asarray(corners, dtype=np.float64)) < 1e-9 else None


def _widest_triangle(points: NDArray[np.float64]) -> float:
    """Twice the area of the largest triangle on the line from the first point to the one farthest from it."""
    offsets = points - points[0]
    far = offsets[int(np.hypot(offsets[:, 0], offsets[:, 1]).argmax())]
    return float(np.abs(far[0] * offsets[:, 1] - far[1] * offsets[:, 0]).max())
