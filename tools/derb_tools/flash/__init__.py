"""From a blank board to a flashed one: one image, built on the laptop, written in one go."""
