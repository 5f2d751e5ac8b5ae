"""What the firmware's pure modules import as `micropython` where CPython runs them."""


def const(value):
    return value


def native(function):
    return function


viper = native


def opt_level(level=None):
    return 0


def mem_info(verbose=None):
    return None
