"""Runs the tests of one module and reports a JSON line a test; on any MicroPython and on CPython."""

import io
import json
import sys

MARK = "derb-test "


def run(module_name, names):
    """Run the named functions in order; a marked line tells where each begins and how it ended."""
    module = _guarded("import", lambda: __import__(module_name))
    if module is None:
        return
    for name in names:
        _report("begin", name, "")
        _guarded(name, getattr(module, name))


def _guarded(name, action):
    try:
        result = action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        _report("failed", name, _traceback(error))
        return None
    _report("passed", name, "")
    return result


def _report(event, name, text):
    # On a line of its own, even after a test that printed without a line end.
    print("\n" + MARK + json.dumps({"event": event, "name": name, "traceback": text}))


def _traceback(error):
    if hasattr(sys, "print_exception"):
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
    import traceback

    return "".join(traceback.format_exception(error))
