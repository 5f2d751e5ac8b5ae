"""What is pulled out of a bare flash: its bytes in on stdin, the frames that the node would have sent out on stdout.

In:  `KEY NODE UNIX_S`, in hex but for the Unix time, 0 if it is not known; then a line of hex a file or block
Out: `frame HEX READINGS` each; `end READINGS DAMAGED_BYTES`
"""

import sys

from derb import frame
from derb.batches import batches
from derb.clock import Clock
from derb.segments import Segments

_NEVER = 1 << 30  # later than every boot: all that is on flash is from before the last loss of power


def run():
    key, node, unix_s = sys.stdin.readline().split()
    clock = Clock(lambda: 0)
    if int(unix_s):
        clock.learn(int(unix_s))
    segments = Segments("")
    entries = set()
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        entries.update(segments._parse(bytes.fromhex(line)))
    # A block that littlefs has given up may hold readings that are in another one too: they count once.
    for boot, kind, run, age_s, age_is_bound in batches(sorted(entries), [], None, clock, _NEVER):
        while run:
            packed, taken = frame.encode(
                bytes.fromhex(key), bytes.fromhex(node), kind, boot, age_s, age_is_bound, run
            )
            run = run[taken:]
            print("frame", packed.hex(), taken)
    print("end", len(entries), segments.damaged)
