# Runs code at a node's prompt with its prints told in whole, checked lines. Loaded after say.py, whose `tell` it uses.
names = {"__name__": "__main__"}


def run(code):
    names["print"] = _print
    exec(code, names)


def _print(*values, sep=" ", end="\n", file=None):
    tell(sep.join([str(value) for value in values]) + end)  # noqa: F821
