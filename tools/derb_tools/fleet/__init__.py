"""`derb fleet`: the nodes of a gateway, looked after from the laptop."""

from derb_tools.fleet.commands import app as app
