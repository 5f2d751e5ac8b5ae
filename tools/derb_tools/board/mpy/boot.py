"""Boots the simulated board: builds the hardware, puts the fake modules in place, mounts the flash, runs the firmware.

    micropython boot.py FD        stdin: one line of JSON, then held open by the supervisor; FD: messages to it

The JSON is what `derb_tools.board.simboard` writes. The firmware sees the littlefs image at "/" and nothing else.
"""

import os
import sys
import vfs

import simctl

_wake = simctl.order()


def _build():
    import boot_hardware

    return boot_hardware.build(_wake)


def _mount(flash):
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(flash), "/")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]


def _run(name):
    try:
        with open(name) as file:
            source = file.read()
    except OSError:
        return
    exec(compile(source, name, "exec"), {"__name__": "__main__"})


def _main():
    clock, flash = _build()
    try:
        _mount(flash)
        for name in ("boot.py", "main.py"):
            _run(name)
    except SystemExit:
        clock.end("reset", cause=5)
    except BaseException as error:
        sys.print_exception(error)
        clock.end("crash")
    clock.end("exit")


try:
    _main()
except BaseException as error:  # the simulator itself is at fault
    sys.print_exception(error)
    simctl.end("broken", us=0, rtc_us=0)
