"""`errno` with the ESP32's numbers (newlib's), which differ from the laptop's where the network is concerned."""

EPERM = 1
ENOENT = 2
EIO = 5
EBADF = 9
EAGAIN = 11
ENOMEM = 12
EACCES = 13
EEXIST = 17
ENODEV = 19
EISDIR = 21
EINVAL = 22
ENOSPC = 28
EPIPE = 32
EOPNOTSUPP = 95
ECONNRESET = 104
ENOBUFS = 105
EADDRINUSE = 112
ECONNABORTED = 113
ECONNREFUSED = 111
ETIMEDOUT = 116
EHOSTUNREACH = 118
EINPROGRESS = 119
EALREADY = 120
ENOTCONN = 128

errorcode = {number: name for name, number in list(globals().items()) if name[0] == "E"}

_FROM_LINUX = {
    98: EADDRINUSE,
    103: ECONNABORTED,
    107: ENOTCONN,
    110: ETIMEDOUT,
    113: EHOSTUNREACH,
    114: EALREADY,
    115: EINPROGRESS,
}


def translated(error):
    """The OSError that the ESP32 would raise in place of the laptop's."""
    number = error.errno
    return OSError(_FROM_LINUX.get(number, number))
