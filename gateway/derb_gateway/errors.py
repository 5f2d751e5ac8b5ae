"""What can go wrong in the gateway, sorted by what its caller can do about it.

* GatewayError
  * RetryError: the world is at fault; the same thing may work later
    * StoreError: the disk did not take it
    * BrokerError: the broker is away, slow or says no for now
    * RelayAway: a relay is not plugged in, is silent, or is another one
    * SinkRetry: an upstream did not take a batch
    * SinkPartly: an upstream took a batch but for some of its readings
  * QuarantineError: this one will never be right; keep it, count it, go on
    * FrameError (in `frame`): a message that is not a good frame
    * RelayMessageError (in `relay_messages`): an intact frame that makes no sense
    * SinkRefused: an upstream will never take these readings
  * StopError: a person must act
    * ConfigError: configuration or registry
    * BrokerMissing: no broker program to start
    * StoreLocked: the store may not be opened
      * StoreInUse: another gateway has it
    * BackupError: a backup cannot be made or put back like this
    * ExportError: there is nothing of what is asked for
"""

from collections.abc import Mapping


class GatewayError(Exception):
    """Root of the gateway's errors."""


class RetryError(GatewayError):
    """The world is at fault; the same thing may work later."""


class QuarantineError(GatewayError):
    """This one will never be right; keep it, count it, go on."""


class StopError(GatewayError):
    """A person must act."""


class StoreError(RetryError):
    """The disk did not take it."""


class BrokerError(RetryError):
    """The broker is away, slow or says no for now."""


class BrokerRefused(BrokerError):
    """The broker does not let us in; hammering it will not help."""


class RelayAway(RetryError):
    """A relay is not plugged in, is silent, or is another one."""


class SinkRetry(RetryError):
    """An upstream did not take a batch this time.

    `overloaded`: it asks for a slower pace; `after_s`: it does not want to be asked before that, None if it did not say.
    `suspect`: it was there, so that the batch itself may be at fault.
    """

    def __init__(
        self, why: str, *, overloaded: bool = False, after_s: float | None = None, suspect: bool = False
    ) -> None:
        super().__init__(why)
        self.overloaded = overloaded
        self.suspect = suspect
        self.after_s = after_s


class SinkPartly(RetryError):
    """An upstream has a batch but for some readings, each named by its place in the batch, with the upstream's reason."""

    def __init__(self, refused: Mapping[int, str], again: Mapping[int, str]) -> None:
        """`refused`: never to be taken; `again`: perhaps next time."""
        super().__init__(next(iter([*again.values(), *refused.values()]), "it took a part"))
        self.refused = dict(refused)
        self.again = dict(again)


class SinkRefused(QuarantineError):
    """An upstream will never take these readings."""


class ConfigError(StopError):
    """A file a person wrote is wrong; `problems` has one line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class BrokerMissing(StopError):
    """There is no broker program on this machine to start."""


class StoreLocked(StopError):
    """The store may not be opened."""


class StoreInUse(StoreLocked):
    """Another gateway has this store open."""


class BackupError(StopError):
    """A backup cannot be made or put back like this."""


class ExportError(StopError):
    """There is nothing of what is asked for."""
