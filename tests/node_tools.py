"""Command-line programs from npm, of one version and one digest, for gates that no Python package has."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# What the tools need in turn is taken as it was on that day, so that a gate does not move by itself.
AS_OF = "2026-11-28"
QUIET = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")


@dataclass(frozen=True)
class NodeTool:
    """One package: its version, the digest of its archive, and the script that is run."""

    name: str
    version: str
    sha512: str
    script: str

    def install(self, folder: Path) -> Path:
        """Put it below `folder` unless it is there; the path of its script. Raises RuntimeError."""
        script = folder / "node_modules" / self.name / self.script
        if script.exists():
            return script
        if not shutil.which("npm"):
            raise RuntimeError(f"{self.name} needs Node.js with npm; install them.")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"private": True}))
        _npm(folder, "pack", "--silent", f"{self.name}@{self.version}")
        archive = folder / f"{self.name}-{self.version}.tgz"
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != self.sha512:
            raise RuntimeError(f"The archive of {self.name} has the digest {digest}, not the one expected.")
        _npm(folder, "install", *QUIET, f"--before={AS_OF}", f"./{archive.name}")
        return script


HTML_VALIDATE = NodeTool(
    "html-validate",
    "10.17.0",
    "1WO3hgxqSE0YfV12u5V4ZNUO4mulMrfuxEOlmwM9bEeMlqs9g1OE+EXzxQ4KwNojsYFDmaEYcRPf+zUpAzO/WA==",
    "bin/html-validate.mjs",
)
LIGHTHOUSE = NodeTool(
    "lighthouse",
    "12.8.2",
    "+5SKYzVaTFj22MgoYDPNrP9tlD2/Ay7j3SxPSFD9FpPyVxGr4UtOQGKyrdZ7wCmcnBaFk0mCkPfARU3CsE0nvA==",
    "cli/index.js",
)


def _npm(folder: Path, *words: str) -> None:
    done = subprocess.run(
        ["npm", *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"npm {words[0]} failed: {done.stderr[-2000:]}")
