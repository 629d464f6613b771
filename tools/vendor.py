"""Fetches the vendored front-end files that tools/vendor.toml names, checked by their sha512, with licences.

Run it with Node's npm at hand: `python3 tools/vendor.py`. `npm pack` brings the archive; a digest that
differs stops everything. To take a new version, change it in vendor.toml and put the printed digest there.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Fetch every package of the table; returns 1 when a digest differs."""
    packages = tomllib.loads((ROOT / "tools" / "vendor.toml").read_text())
    for name, wanted in packages.items():
        with tempfile.TemporaryDirectory() as folder:
            archive = _pack(f"{wanted['package']}@{wanted['version']}", Path(folder))
            digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            if digest != wanted["sha512"]:
                print(
                    f"{name}: the archive's digest is {digest}, not what vendor.toml says.", file=sys.stderr
                )
                return 1
            target = ROOT / wanted["into"] / f"{name}-{wanted['version']}"
            _unpack(archive, target, wanted["files"])
            print(f"{name} {wanted['version']}: {', '.join(wanted['files'])} -> {target.relative_to(ROOT)}")
    return 0


def _pack(what: str, folder: Path) -> Path:
    subprocess.run(["npm", "pack", "--silent", what], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tgz"))


def _unpack(archive: Path, target: Path, files: list[str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as packed:
        for name in files:
            member = packed.extractfile(f"package/{name}")
            assert member is not None, f"{name} is not in {archive.name}"
            (target / Path(name).name).write_bytes(member.read())


if __name__ == "__main__":
    sys.exit(main())
