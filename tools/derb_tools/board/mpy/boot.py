"""Boots the simulated board: hardware, modules in the laptop's place, flash, firmware.

    micropython boot.py FD        stdin: the supervisor's order, see `simctl.order()`; FD: messages to it

The firmware sees the littlefs image at "/" and nothing else.
"""

import os
import sys
import vfs

import boot_hardware
import mkimage
import simctl


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


def _wake(order):
    clock, flash = boot_hardware.build(order)
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


def _main():
    print("derb-board ready")
    order = simctl.order()
    if order is None:
        return
    try:
        if "image" in order:
            mkimage.make(order)
        else:
            _wake(order)
    except BaseException as error:  # the simulator itself is at fault
        sys.print_exception(error)
        simctl.end("broken", us=0, rtc_us=0)


_main()
