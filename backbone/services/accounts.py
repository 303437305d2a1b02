"""Users made for the servers: numbers that belong to nobody else on this machine.

A number of the small root file system would be somebody else's here (Debian's 100 and 101 are messagebus on many
machines), who could then read the data and signal the server. The range 60900 to 60999 is given out by nobody: not by
adduser (up to 59999), not to Debian's packages (from 64000), not by systemd (from 61184). A number that this machine
knows as a user or a group all the same is passed over.
"""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass

from backbone.services.machine import Unavailable

_NUMBERS = range(60_900, 61_000)
_SERVICES = ("timescale", "redis", "kafka")
_ITS_USER = "spark"


@dataclass(frozen=True, slots=True)
class Account:
    """The user and the group of a service's processes, known by number alone."""

    uid: int
    gid: int


def account_of(service: str) -> Account:
    """Return whom a service runs as: a user of its own where we are root, else whoever started it.

    Spark runs its user's programs over its user's files, so that it runs as its user.

    Raises:
        Unavailable: the machine knows every number of the range as somebody.
    """
    if os.geteuid() != 0 or service == _ITS_USER:
        return Account(os.geteuid(), os.getegid())
    for number in _NUMBERS[_SERVICES.index(service) :: len(_SERVICES)]:
        if not _is_somebodys(number):
            return Account(number, number)
    raise Unavailable(
        f"{service}: every user number from {_NUMBERS[0]} to {_NUMBERS[-1]} belongs to somebody here; free one"
    )


def _is_somebodys(number: int) -> bool:
    for ask in (pwd.getpwuid, grp.getgrgid):
        try:
            ask(number)
        except KeyError:
            continue
        return True
    return False
