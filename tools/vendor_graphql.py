"""Takes GitHub's published GraphQL schema out of its package, without the descriptions, and compresses it."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import re
import sys
import tarfile
from pathlib import Path

VERSION = "15.26.1"
SHA512 = (
    "4450c2d8ca5105de00c5246f51e04855e054ee88cdfd2c437c02d477b89560e4"
    "9e10ade065aa91d8c18ecac8f8661db18f6458e5f400513f8eaaaee1593ada30"
)
NOTICE = """This folder holds GitHub's GraphQL schema.

It was taken from the npm package @octokit/graphql-schema {version}
(https://github.com/octokit/graphql-schema) under the MIT licence; see LICENSE beside this file. The
descriptions were left out by tools/vendor_graphql.py; the definitions are unchanged.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, help=f"the package @octokit/graphql-schema {VERSION} as packed")
    parser.add_argument("target", type=Path, help="the folder to write to")
    asked = parser.parse_args()
    digest = hashlib.sha512(asked.archive.read_bytes()).hexdigest()
    if digest != SHA512:
        print(f"The archive's sha512 is {digest}, not that of version {VERSION}.", file=sys.stderr)
        return 1
    schema = without_descriptions(_member(asked.archive, "schema.graphql"))
    packed = gzip.compress(schema.encode(), 9, mtime=0)
    asked.target.mkdir(parents=True, exist_ok=True)
    (asked.target / "schema.graphql.gz").write_bytes(packed)
    (asked.target / "LICENSE").write_text(_member(asked.archive, "LICENSE.md"))
    (asked.target / "NOTICE").write_text(NOTICE.format(version=VERSION))
    print(f"{len(schema.splitlines()):,} lines, {len(packed):,} bytes")
    return 0


def without_descriptions(schema: str) -> str:
    """The same definitions; a description is a block string on lines of its own."""
    return re.sub(r'^[ \t]*""".*?"""\n', "", schema, flags=re.DOTALL | re.MULTILINE)


def _member(archive: Path, name: str) -> str:
    with tarfile.open(archive) as packed:
        member = packed.extractfile(f"package/{name}")
        assert member is not None, f"{name} is not in {archive.name}"
        return member.read().decode()


if __name__ == "__main__":
    sys.exit(main())
