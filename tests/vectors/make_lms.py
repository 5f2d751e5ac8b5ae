"""Write lms.json anew: the signatures of RFC 8554, appendix F, test case 2, from the private keys printed there.

Signing is deterministic once key and randomizer are given, so what comes out is what the RFC prints; the public keys
that the RFC prints, and the first and last bytes of its signatures, are checked here. And releases.json: releases, good and bad.
"""

import hashlib
import json
import struct
from pathlib import Path

from pyhsslms import pyhsslms

TOP = {
    "public": "0000000600000003d08fabd4a2091ff0a8cb4ed834e7453432a58885cd9ba0431235466bff9651c6c92124404d45fa53cf161c28f1ad5a8e",
    "seed": "558b8966c48ae9cb898b423c83443aae014a72f1b1ab5cc85cf1d892903b5439",
    "id": "d08fabd4a2091ff0a8cb4ed834e74534",
    "leaf": 3,
    "randomizer": "3d46bee8660f8f215d3f96408a7a64cf1c4da02b63a55f62c666ef5707a914ce",
    "last": "0b491cb4ecbbabec128e7c81a46e62a67b57640a0a78be1cbf7dd9d419a10cd8"
    "686d16621a80816bfdb5bdc56211d72ca70b81f1117d129529a7570cf79cf52a"
    "7028a48538ecdd3b38d3d5d62d26246595c4fb73a525a5ed2c30524ebb1d8cc8"
    "2e0c19bc4977c6898ff95fd3d310b0bae71696cef93c6a552456bf96e9d075e3"
    "83bb7543c675842bafbfc7cdb88483b3276c29d4f0a341c2d406e40d4653b7e4"
    "d045851acf6a0a0ea9c710b805cced4635ee8c107362f0fc8d80c14d0ac49c51"
    "6703d26d14752f34c1c0d2c4247581c18c2cf4de48e9ce949be7c888e9caebe4"
    "a415e291fd107d21dc1f084b1158208249f28f4f7c7e931ba7b3bd0d824a4570",
}
BOTTOM = {
    "public": "0000000500000004215f83b7ccb9acbcd08db97b0d04dc2ba1cd035833e0e90059603f26e07ad2aad152338e7a5e5984bcd5f7bb4eba40b7",
    "seed": "a1c4696e2608035a886100d05cd99945eb3370731884a8235e2fb3d4d71f2547",
    "id": "215f83b7ccb9acbcd08db97b0d04dc2b",
    "leaf": 4,
    "randomizer": "0eb1ed54a2460d512388cad533138d240534e97b1e82d33bd927d201dfc24ebb",
    "last": "4de1f6965bdabc676c5a4dc7c35f97f82cb0e31c68d04f1dad96314ff09e6b3d"
    "e96aeee300d1f68bf1bca9fc58e4032336cd819aaf578744e50d1357a0e42867"
    "04d341aa0a337b19fe4bc43c2e79964d4f351089f2e0e41c7c43ae0d49e7f404"
    "b0f75be80ea3af098c9752420a8ac0ea2bbb1f4eeba05238aef0d8ce63f0c6e5"
    "e4041d95398a6f7f3e0ee97cc1591849d4ed236338b147abde9f51ef9fd4e1c1",
}
MESSAGE = (
    b"The enumeration in the Constitution, of certain rights, shall not be construed to deny or disparage others "
    b"retained by the people.\n"
)


def signed(name, case, message):
    public = bytes.fromhex(case["public"])
    randomizer = bytes.fromhex(case["randomizer"])
    key = pyhsslms.LmsPrivateKey(
        public[:4], public[4:8], bytes.fromhex(case["seed"]), bytes.fromhex(case["id"]), case["leaf"]
    )
    assert key.publicKey().serialize() == public, f"{name}: not the public key of the RFC"
    keep, pyhsslms.randBytes = pyhsslms.randBytes, lambda count: randomizer[:count]
    try:
        signature = key.sign(message)
    finally:
        pyhsslms.randBytes = keep
    assert signature[8:40] == randomizer, name
    assert signature.hex().endswith(case["last"]), f"{name}: not the signature of the RFC"
    return {"name": name, "public": case["public"], "message": message.hex(), "signature": signature.hex()}


FILES = {
    "derb/__init__.mpy": b"M\6" + bytes(range(256)) * 3,
    "derb/deep/er/x.mpy": b"M\6\1",
    "derb/node.mpy": bytes(1500),
    "derb/empty.mpy": b"",
}


def release(key, name, version, files=FILES, board="*", bytecode=6):
    """A release as docs/protocol.md says, signed by a key whose secret stands below: for tests only."""
    manifest = (
        b"DRBM\1"
        + struct.pack("<I", version)
        + bytes([bytecode, len(board)])
        + board.encode()
        + bytes([len(files)])
    )
    for path, content in files.items():
        manifest += (
            bytes([len(path)])
            + path.encode()
            + struct.pack("<I", len(content))
            + hashlib.sha256(content).digest()
        )
    head = struct.pack("<H", len(manifest)) + manifest + key.sign(manifest)
    return {"name": name, "public": key.publicKey().serialize().hex(), "version": version, "head": head.hex(),
            "files": [[path, content.hex()] for path, content in files.items()]}  # fmt: skip


def releases():
    keys = [
        pyhsslms.LmsPrivateKey(
            pyhsslms.lms_sha256_m32_h5,
            pyhsslms.lmots_sha256_n32_w8,
            hashlib.sha256(b"tests %d" % i).digest(),
            bytes(16),
            0,
        )
        for i in range(2)
    ]
    pyhsslms.randBytes = lambda count: bytes(count)
    yield release(keys[0], "good", 200)
    yield release(keys[0], "newer", 201, {**FILES, "derb/node.mpy": b"new" * 400})
    yield release(keys[0], "old", 100)
    yield release(keys[0], "for another board", 200, board="xiao-esp32c3")
    yield release(keys[0], "other bytecode", 200, bytecode=5)
    yield release(keys[0], "a name that leaves the slot", 200, {"../main.py": b"x"})
    yield release(keys[1], "by another key", 200)


if __name__ == "__main__":
    cases = [
        signed("RFC 8554 F.2, upper tree: H10, W4", TOP, bytes.fromhex(BOTTOM["public"])),
        signed("RFC 8554 F.2, lower tree: H5, W8", BOTTOM, MESSAGE),
    ]
    text = ",\n".join(json.dumps(case) for case in cases)
    Path(__file__).with_name("lms.json").write_text(f"[\n{text}\n]\n")
    text = ",\n".join(json.dumps(each) for each in releases())
    Path(__file__).with_name("releases.json").write_text(f"[\n{text}\n]\n")
