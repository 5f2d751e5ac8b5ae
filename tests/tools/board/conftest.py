"""Fixtures of the simulated board's tests."""

from tools.board.tiny import make_board

__all__ = ["make_board"]
