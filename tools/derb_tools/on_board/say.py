# How a program at a node's prompt speaks to the laptop: JSON in one line, with its CRC-32 in front.
import binascii
import json
import sys


def say(content):
    text = json.dumps(content)
    print("derb:%08x:%s" % (binascii.crc32(text.encode()) & 0xFFFFFFFF, text))


def tell(content):
    say({"told": content})


def answer(work):
    try:
        say({"done": work()})
    except Exception as e:
        say({"raised": traceback(e)})


def traceback(error):
    import io

    said = io.StringIO()
    sys.print_exception(error, said)
    return said.getvalue()
