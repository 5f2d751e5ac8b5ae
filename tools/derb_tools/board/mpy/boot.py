"""Boots the simulated board: hardware, modules in the laptop's place, flash, firmware.

    micropython boot.py FD             stdin: the supervisor's order, see `simctl.order()`; FD: messages to it
    micropython -i boot.py FD ORDER_FD     the same with a prompt on stdin, as the chip has when main.py returns or fails

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


def _wake_to_prompt(order):
    clock, flash = boot_hardware.build(order)
    # Ctrl-D at the prompt ends the process: a soft reset.
    sys.atexit(lambda: clock.end("reset", cause=5))
    _mount(flash)
    # From a raw prompt the chip leaves out main.py.
    for name in ("boot.py",) if order["raw"] else ("boot.py", "main.py"):
        try:
            _run(name)
        except SystemExit:
            clock.end("reset", cause=5)
        except BaseException as error:
            sys.print_exception(error)


def _main():
    if len(sys.argv) < 3:
        print("derb-board ready")
    order = simctl.order()
    if order is None:
        return
    try:
        if "image" in order:
            mkimage.make(order)
        elif len(sys.argv) > 2:
            _wake_to_prompt(order)
        else:
            _wake(order)
    except BaseException as error:  # the simulator itself is at fault
        sys.print_exception(error)
        simctl.end("broken", us=0, rtc_us=0)


_main()
for _name in list(globals()):
    if not _name.startswith("__"):
        del globals()[_name]  # a prompt must not find the simulator's own names
del _name
