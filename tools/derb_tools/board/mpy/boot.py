"""Boots the simulated board: hardware, modules in the laptop's place, flash, firmware.

    micropython boot.py FD             stdin: the supervisor's order, see `simctl.order()`; FD: messages to it
    micropython -i boot.py FD ORDER_FD     the same with a prompt on stdin, as the chip has when main.py returns or fails

The firmware sees the littlefs image at "/" and nothing else; on a board with a custom image also what is frozen in it, which
mounts the file system itself. What goes before `main.py`, and in which order, is as in the ESP32 port's main.c.
"""

import os
import sys
import vfs

import boot_hardware
import mkimage
import simctl


def _start(clock, flash, frozen):
    """What the image itself does before it looks for files to run; return where those may be, first to last."""
    vfs.umount("/")
    places = []
    for number, folder in enumerate(frozen):
        places.append("/.frozen%d" % number)
        vfs.mount(vfs.VfsPosix(folder), places[-1], readonly=True)
    sys.path[:] = [""] + (places or [".frozen"]) + ["/lib"]
    if frozen:
        sys.modules["flashbdev"] = _Device(flash)
        try:
            _run("_boot.py", places)
        except Exception as error:
            sys.print_exception(error)  # and the image goes on
    else:
        _stock_boot(clock, flash)
    os.chdir("/")
    return places + [""]


class _Device:
    def __init__(self, flash):
        self.bdev = flash


def _stock_boot(clock, flash):
    try:
        vfs.mount(vfs.VfsLfs2(flash), "/")
    except OSError:
        # The port's `inisetup` says so for ever, and no watchdog is armed.
        print("The filesystem appears to be corrupted.")
        clock.end("hang")


def _run(name, places):
    for place in places:
        try:
            with open(place + "/" + name) as file:
                source = file.read()
        except OSError:
            continue
        exec(compile(source, name, "exec"), {"__name__": "__main__"})
        return


def _scripts(order):
    # After a soft reset from a raw prompt the chip leaves out main.py.
    return ("boot.py",) if order["raw"] else ("boot.py", "main.py")


def _wake(order):
    clock, flash = boot_hardware.build(order)
    try:
        places = _start(clock, flash, order["frozen"])
        for name in _scripts(order):
            _run(name, places)
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
    places = _start(clock, flash, order["frozen"])
    for name in _scripts(order):
        try:
            _run(name, places)
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
