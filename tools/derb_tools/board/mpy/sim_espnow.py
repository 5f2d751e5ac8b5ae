"""`espnow` of the ESP32 port; the air is a UDP port of the supervisor on this laptop."""


def setup(clock, node_id, air_port):
    pass
