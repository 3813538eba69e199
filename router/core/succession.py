"""Which of two routing files comes into force, where replicas have different ones on their disks.

A file that was never in force is newer than the one that is. One that was in force before is what a
disk shows that lags behind, unless the disk has gone back to it: then an operator took back what
came after. Where a disk stands is told by the number under which its file was last in force. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.core.model import Standing


def takes_over(standing: Standing | None, digest: str, *, replaced: int | None) -> bool:
    """Whether the file of *digest*, just read from disk, is to be the one in force.

    *replaced* is the number of the file that stood there before; None when it was there already
    when the process started.
    """
    if standing is None or digest == standing.digest or standing.own_number is None:
        return True
    return replaced is not None and standing.own_number < replaced
