#!/bin/sh
# Finds a Python 3.11 or newer and hands over to setup.py beside it. PYTHON=/path chooses one.
set -eu
here=$(dirname "$0")

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11 python3; do
    if is_new_enough "$candidate"; then
        exec "$candidate" -B "$here/setup.py" "$@"
    fi
    if [ -n "${PYTHON:-}" ]; then
        echo "derb: PYTHON=$PYTHON is not a Python 3.11 or newer" >&2
        exit 1
    fi
done
echo "derb: needs Python 3.11 or newer, and found none on PATH; install one (Debian 12 and later: sudo apt install python3 python3-venv) or say PYTHON=/path/to/python3" >&2
exit 1
