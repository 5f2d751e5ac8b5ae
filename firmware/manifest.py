"""What a custom image freezes: docs/custom-image.md.

Of the port's own modules only those that a node uses: all of them would bring a second `_boot.py`, and an image has room for one.
"""

freeze("$(PORT_DIR)/modules", ("espnow.py", "flashbdev.py"))  # noqa: F821 - makemanifest defines these names
require("onewire")  # noqa: F821
require("umqtt.simple")  # noqa: F821
freeze("frozen")  # noqa: F821
package("derb")  # noqa: F821
module("slots.py")  # noqa: F821
module("main.py")  # noqa: F821
