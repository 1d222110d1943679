"""What can go wrong, by whose hands it is mended.

TrailstopError
├── ConfigError          yours: a setting, a key or an address; nothing was started
├── DataError            yours: a file of prices that cannot be read; names file and line
├── NotRunning           the daemon that a command needs does not answer
├── PortInUse            another program listens there
├── StoreError           the database cannot be opened or written
│   └── StoreDamaged     its file is damaged
│       └── StoreMoved   its file is whole but gone from its place while it was open
├── LinkLost             the paper exchange that owns the virtual clock has gone
└── VenueError           the exchange's side
    ├── ReadFailed       a read failed or was partial: it says nothing, least of all "flat"
    │   └── NotListed    the exchange lists it no more: asking again is in vain
    ├── BadCredentials   the exchange refuses the key
    └── Unreachable      no answer at all

Outcomes of writes are values (`trailstop.ports.Outcome`), never exceptions, since an
unknown outcome is not a failure. Each message is one line that says what to do.
"""

from __future__ import annotations


class TrailstopError(Exception):
    """Base of every error that Trailstop shows to a person, in one line."""


class ConfigError(TrailstopError):
    """A setting is wrong or missing; nothing was started."""


class DataError(TrailstopError):
    """A file of prices cannot be used; the message names the file and the line."""


class NotRunning(TrailstopError):
    """No daemon answers where one is needed."""


class PortInUse(TrailstopError):
    """Another program listens on the address that was asked for."""


class StoreError(TrailstopError):
    """The database cannot be opened, migrated or written."""


class StoreDamaged(StoreError):
    """The database's file is damaged: a new one has to take its place."""


class StoreMoved(StoreDamaged):
    """The open file was deleted, renamed or replaced; what is open can still be read."""


class LinkLost(TrailstopError):
    """The exchange that owns the virtual clock has closed the link."""


class VenueError(TrailstopError):
    """The exchange refused or failed something that is not a write."""


class ReadFailed(VenueError):
    """A read failed or came back partial: unknown, never flat."""


class NotListed(ReadFailed):
    """The exchange does not list any more what was asked for; another list may have it."""


class BadCredentials(VenueError):
    """The exchange refuses the API key; message names the variable to check."""


class Unreachable(VenueError):
    """The exchange does not answer at the configured address."""
