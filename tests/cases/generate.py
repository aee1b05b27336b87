#!/usr/bin/env python3
"""generate: writes every case, those by hand and those that are generated.

    generate.py FILE           all of them in one file, for the unit test
    generate.py --seeds DIR    the bytes of each in a file of its own, as seeds for a fuzzer: below
                               request, response and body, named by number
"""

import pathlib
import sys

from cases import text_of
from families import every_case


def write_seeds(directory):
    for number, case in enumerate(every_case()):
        path = directory / case.kind / f"{number:04}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.data)


def main(args):
    if len(args) == 2 and args[0] == "--seeds":
        write_seeds(pathlib.Path(args[1]))
    elif len(args) == 1 and not args[0].startswith("-"):
        pathlib.Path(args[0]).write_text("".join(map(text_of, every_case())))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
