"""Random numbers by cause."""

import zlib

import numpy as np


class Streams:
    """One random stream for each cause, so that changing one cause leaves the others as they were."""

    def __init__(self, name: str, seed: int) -> None:
        self._root = (zlib.crc32(name.encode()), seed)

    def __getitem__(self, cause: str) -> np.random.Generator:
        return np.random.default_rng([*self._root, zlib.crc32(cause.encode())])
