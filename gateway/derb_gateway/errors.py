"""What can go wrong in the gateway, sorted by what its caller can do about it.

* GatewayError
  * RetryError: the world is at fault; the same thing may work later
    * StoreError: the disk did not take it
    * BrokerError: the broker is away, slow or says no for now
    * RelayAway: a relay is not plugged in, is silent, or is another one
    * SinkRetry: an upstream did not take a batch
  * QuarantineError: this one will never be right; keep it, count it, go on
    * FrameError (in `frame`): a message that is not a good frame
    * RelayMessageError (in `relay_messages`): an intact frame that makes no sense
    * SinkRefused: an upstream will never take these readings
  * StopError: a person must act
    * ConfigError: configuration or registry
    * BrokerMissing: no broker program to start
    * StoreLocked: the store may not be opened
      * StoreInUse: another gateway has it
"""


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
    """An upstream did not take a batch this time."""


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
