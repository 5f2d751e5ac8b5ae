"""What has to be measured while it happens; everything else is read when somebody asks (`metrics`).

Loaded only where the [http] section is there: without it nothing is measured.
"""

from prometheus_client import CollectorRegistry, Histogram

_COMMIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_RECEIPT_S = (0.0025, 0.005, 0.01, 0.025, 0.06, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)


class Measures:
    """Histograms, and the registry that they are in."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._commit_s = Histogram(
            "derb_commit_seconds",
            "From the beginning of a transaction until it is synced to the disk",
            buckets=_COMMIT_S,
            registry=self.registry,
        )
        self._receipt_s = Histogram(
            "derb_receipt_seconds",
            "Of each batch that was committed: how long the message that waited longest had no receipt, from the moment"
            " it came from the broker until the receipts were handed to it",
            buckets=_RECEIPT_S,
            registry=self.registry,
        )

    def committed(self, seconds: float) -> None:
        """Note how long a commit took."""
        self._commit_s.observe(seconds)

    def confirmed(self, seconds: float) -> None:
        """Note how long the oldest message of a batch waited for its receipt."""
        self._receipt_s.observe(seconds)
