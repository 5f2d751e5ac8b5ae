"""The relay: ESP-NOW packets from nodes to the gateway over USB, and back. It reads no frame and holds no key."""
