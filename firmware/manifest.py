"""What a custom image freezes: docs/custom-image.md. The port's own manifest brings umqtt.simple and the rest."""

include("$(PORT_DIR)/boards/manifest.py")  # noqa: F821 - makemanifest defines these names
package("derb")  # noqa: F821
module("slots.py")  # noqa: F821
module("main.py")  # noqa: F821
