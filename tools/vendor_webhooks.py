"""Takes the examples of GitHub's webhook deliveries out of their package, with a licence, and packs them."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import tarfile
from pathlib import Path

VERSION, LICENCE_VERSION = "7.6.1", "3.68.1"
SHA512 = {
    VERSION: "0dee94dd707a3b70ed09aedb2a008ccd31dd7a8a6aa99e92362bcc6099caeb98"
    "9eaca2f5027348034b644580914bb970193efdd9df8fb3559b7c796ca3a3329d",
    LICENCE_VERSION: "c1af24a0589fb76e2652c31aad63ffc1f97d908c2a2f94caf6c9ac0912322587"
    "ecf6261012826c42372687228299ebcf03c25afcad594c4e16f00040d3230cf2",
}
NOTICE = """This folder holds examples of what GitHub delivers to webhooks.

They were taken from the npm package @octokit/webhooks-examples {version} (api.github.com/index.json;
https://github.com/octokit/webhooks), which is under the MIT licence but has no copy of it inside. LICENSE
beside this file is the one in an earlier package of the same project, @octokit/webhooks-definitions
{licence_version}. Descriptions were left out by tools/vendor_webhooks.py; the examples are unchanged.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=Path, help=f"@octokit/webhooks-examples {VERSION} as packed")
    parser.add_argument(
        "licence", type=Path, help=f"@octokit/webhooks-definitions {LICENCE_VERSION} as packed"
    )
    parser.add_argument("target", type=Path, help="the folder to write to")
    asked = parser.parse_args()
    for archive, version in ((asked.examples, VERSION), (asked.licence, LICENCE_VERSION)):
        digest = hashlib.sha512(archive.read_bytes()).hexdigest()
        if digest != SHA512[version]:
            print(f"The sha512 of {archive} is {digest}, not that of version {version}.", file=sys.stderr)
            return 1
    events = json.loads(_member(asked.examples, "api.github.com/index.json"))
    kept = {each["name"]: each["examples"] for each in events}
    packed = gzip.compress(json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode(), 9, mtime=0)
    asked.target.mkdir(parents=True, exist_ok=True)
    (asked.target / "examples.json.gz").write_bytes(packed)
    (asked.target / "LICENSE").write_text(_member(asked.licence, "LICENSE"))
    (asked.target / "NOTICE").write_text(NOTICE.format(version=VERSION, licence_version=LICENCE_VERSION))
    print(f"{sum(map(len, kept.values())):,} examples of {len(kept)} events, {len(packed):,} bytes")
    return 0


def _member(archive: Path, name: str) -> str:
    with tarfile.open(archive) as packed:
        member = packed.extractfile(f"package/{name}")
        assert member is not None, f"{name} is not in {archive.name}"
        return member.read().decode()


if __name__ == "__main__":
    sys.exit(main())
