#!/usr/bin/env python3
"""generate: writes every case, those by hand and those that are generated.

    generate.py FILE    all of them in one file, for the unit test
"""

import pathlib
import sys

from cases import text_of
from families import every_case


def main(args):
    if len(args) == 1 and not args[0].startswith("-"):
        pathlib.Path(args[0]).write_text("".join(map(text_of, every_case())))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
