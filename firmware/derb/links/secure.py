"""TLS for a link, by pre-shared key or by certificate.

The pre-shared key is derived from the node's key, so it needs no provisioning of its own, and what leaks from the broker
signs no reading. The broker knows the node by its id.
"""

import binascii

from micropython import const

from derb.links import LinkError

_LONGEST_CA = const(3000)


def context(config, node, key, nvs):
    """Return the SSLContext that `config.tls` asks for, None for none; LinkError if this image cannot."""
    if config.tls == "off":
        return None
    try:
        import tls

        made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        if config.tls == "psk":
            if not hasattr(made, "psk_identity"):
                raise LinkError("no TLS: this MicroPython knows no pre-shared keys, 1.29 does")
            made.verify_mode = tls.CERT_NONE  # whoever knows the key is the broker
            made.psk_identity = binascii.hexlify(node).decode()
            made.psk_key = pre_shared_key(key, node)
            # Without this a broker's certificate, which nobody verifies here, would do instead of the key.
            made.set_ciphers([name for name in made.get_ciphers() if "TLS-PSK-" in name])
        else:
            made.verify_mode = tls.CERT_REQUIRED
            made.load_verify_locations(_authority(nvs))
        return made
    except (ImportError, OSError, ValueError) as e:
        raise LinkError("no TLS: %s" % e)


def pre_shared_key(key, node):
    """Return the 32 bytes that node and broker share (docs/protocol.md, TLS)."""
    from derb import frame

    return frame.derive(key, b"derb1t", node)


def _authority(nvs):
    buf = bytearray(_LONGEST_CA)
    return bytes(buf[: nvs.get_blob("ca", buf)])
