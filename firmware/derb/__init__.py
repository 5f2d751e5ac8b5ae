"""Derb on a board: senses, keeps, sends, sleeps."""

VERSION = 100  # major * 10000 + minor * 100 + patch
