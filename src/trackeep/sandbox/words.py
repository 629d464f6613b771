"""The vocabulary of the invented repositories: titles, messages, remarks, file names, lines of code."""

import random
import re
from dataclasses import dataclass

_VERBS = (
    "Add tests for", "Rework", "Cache", "Check", "Log", "Split", "Test", "Document", "Harden", "Clean up",
    "Validate", "Simplify", "Simplify", "Speed up", "Rename", "Measure", "Fix", "Fix", "Fix", "Fix", "Fix",
)  # fmt: skip
_WHEN = (
    "before the first write", "when the queue is full", "on a slow disk", "in the reader's time zone",
    "for old clients",
    "without a lock", "after a restart", "when the list is empty", "once per request", "on start",
    "behind a proxy",
    "for names outside ASCII", "when the disk is full", "with a time limit", "", "", "", "", "", "", "", "",
)  # fmt: skip
_BODIES = (
    "It was computed twice on every request.", "Found while looking at last week's slow reports.",
    "The old way lost the last entry when the file ended without a newline.", "No change in behaviour.",
    "Measured on the staging data: a third of the time, half of the memory.",
    "Asked for in the support channel.",
    "The test fails without the change.", "Leaves the public interface as it was.",
)  # fmt: skip
REMARKS = {
    "APPROVED": ("Looks good.", "Reads well now, thank you.", "", "", "Tried it locally, works.",
    "Fine by me."),
    "CHANGES_REQUESTED": (
        "Please cover the empty case with a test.", "The lock is held while we write; can that be avoided?",
        "This changes the order of the output. Intended?", "I would keep the old name for one release.",
    ),
    "COMMENTED": ("Two small questions.", "", "A thought on naming.",
    "How does this behave after a restart?"),
}  # fmt: skip
LABELS = (
    ("bug", "d73a4a", "Something is not working"), ("enhancement", "a2eeef", "New feature or request"),
    ("documentation", "0075ca", "Improvements or additions to documentation"),
    ("dependencies", "0366d6", "Updates of a dependency"), ("performance", "fbca04", "Faster or smaller"),
    ("good first issue", "7057ff", "Good for newcomers"), ("breaking", "b60205", "Needs a major version"),
)  # fmt: skip
PACKAGES = (
    "tokio",
    "serde",
    "rustls",
    "lodash",
    "vite",
    "zlib",
    "pytest",
    "click",
    "x/net",
    "protobuf",
    "eslint",
)
_ISSUES = (
    "Wrong result in {thing} after daylight saving ends", "Crash when {thing} has nothing to do",
    "Question: how is {thing} meant to grow?", "Lost after a restart: {thing}",
    "Slow start since {thing} came",
    "Typo in the page about {thing}", "Allow a limit for {thing}",
    "Two entries of one second swapped in {thing}",
)  # fmt: skip


@dataclass(frozen=True)
class Flavour:
    """A repository's subject and language: `things` are noun phrases, `code` templates hold one number."""

    description: str
    language: str
    ending: str
    things: tuple[str, ...]
    folders: tuple[str, ...]
    code: tuple[str, ...]
    topics: tuple[str, ...] = ()


_CODE = {
    "Rust": (
        "let depth_{0} = chart.depth({0});",
        "assert!(tiles.contains({0}));",
        "buoys.push(Buoy::at({0}));",
    ),
    "Go": ("berth := dock.Berth({0})", 'log.Info("arrival", "ship", {0})', "queue <- ticket({0})"),
    "Python": ("reed_{0} = row({0})", "heights.append({0})", 'assert level({0}) is not None, "level {0}"'),
    "TypeScript": ("const leaf{0} = blade({0});", "panels.set({0}, draw());", "export const width{0} = {0};"),
    "Zig": ("const fold_{0} = paper.crease({0});", "try boat.float({0});", "std.debug.assert(sail > {0});"),
}
_ENDINGS = {"Rust": "rs", "Go": "go", "Python": "py", "TypeScript": "ts", "Zig": "zig"}


def _flavour(description: str, language: str, things: str, folders: str, topics: str = "") -> Flavour:
    split = tuple(thing.strip() for thing in things.split(","))
    code = _CODE[language]
    return Flavour(
        description, language, _ENDINGS[language], split, tuple(folders.split()), code, tuple(topics.split())
    )


FLAVOURS = {
    "atlas": _flavour(
        "Charts of the coast, drawn on demand", "Rust",
        "the tile index, webhook delivery, the route cache, the projection, the chart legend, "
        "the depth model, "
        "the search box, the tile queue, the coast line, the lock file, the TLS stack, the buoy table",
        "tiles routes charts depth search server store net cli render geo import export tests",
        "maps rust tiles",
    ),
    "harbor": _flavour(
        "Berths, arrivals and paperwork of a small port", "Go",
        "the berth plan, the arrivals feed, single sign-on, paging, the second cache, the ticket queue, "
        "the audit log, "
        "the crane schedule, the import of manifests", "berth arrival auth store api audit cmd queue",
        "go logistics",
    ),
    "kelp-ui": _flavour(
        "Components shared by all our screens", "TypeScript",
        "the tide chart, the date picker, the side panel, the focus ring, the data table, the colour tokens, "
        "the empty state, the toast", "charts forms layout table tokens icons tests",
        "components design-system",
    ),
    "reedbed": _flavour(
        "Stores sensor readings and forgets them on time", "Python",
        "the reading store, the retention job, store sizes, the batch import, the sensor registry, "
        "the time series, "
        "the gap finder", "store jobs sensors series web tests", "sensors python",
    ),
    "almanac": _flavour(
        "A calendar of tides and small habits", "TypeScript",
        "the tide page, the streak, the week view, the moon phase, the reminder, batch queries, "
        "the print layout",
        "pages tides habits views data tests", "calendar tides",
    ),
    "paper-boat": _flavour(
        "Learning Zig by folding things", "Zig", "the hull, the crease list, the fold parser, the float test",
        "src fold tests",
    ),
    "tide-tables": _flavour(
        "Tide tables for print, replaced by almanac", "Python",
        "the harmonic model, the station list, the PDF writer, the page break", "tides stations pdf tests",
        "tides",
    ),
    "seedling": _flavour("Nothing here yet", "Python", "the seed", "src"),
    "lighthouse": _flavour(
        "Tells you when a site went dark", "Go",
        "the probe, the alert rule, the status page, the mail digest, the quiet hours",
        "probe alert page cmd",
        "monitoring go",
    ),
    "otter-cli": _flavour(
        "A command line for the harbour", "Go",
        "the config file, shell completion, the progress bar, the token prompt, the pager, exit codes",
        "cmd config output term", "cli go",
    ),
    "heron": _flavour(
        "Watches feeds and stays still otherwise", "Python",
        "the feed reader, streaks, the retry rule, the digest, the parser, the web hook, the store, "
        "the date header",
        "feeds digest web store parse tests", "feeds python",
    ),
}  # fmt: skip


def title(rng: random.Random, flavour: Flavour) -> str:
    """A short imperative line, used for commits and pull requests."""
    when = rng.choice(_WHEN)
    return f"{rng.choice(_VERBS)} {rng.choice(flavour.things)}{' ' + when if when else ''}"


def body(rng: random.Random) -> str:
    return rng.choice(_BODIES)


def issue_title(rng: random.Random, flavour: Flavour) -> str:
    """What somebody would call a fault or a wish about one of the flavour's things."""
    thing = rng.choice(flavour.things)
    text = rng.choice(_ISSUES).format(thing=thing)
    return text[0].upper() + text[1:]


def bump(rng: random.Random) -> tuple[str, str]:
    """A dependency update: its title and its branch."""
    package, major, minor = rng.choice(PACKAGES), rng.randint(1, 9), rng.randint(0, 40)
    old, new = f"{major}.{minor}.0", f"{major}.{minor + 1}.{rng.randint(0, 3)}"
    return f"Bump {package} from {old} to {new}", f"dependabot/{slug(package)}-{new}"


def slug(text: str, limit: int = 40) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:limit].strip("-")


def paths(flavour: Flavour, count: int) -> list[str]:
    """`count` source files spread over the folders, at most a few dozen in each."""
    names = [slug(thing.removeprefix("the "), 20).replace("-", "_") for thing in flavour.things]
    found = []
    for number in range(count):
        folder = flavour.folders[number % len(flavour.folders)]
        name = names[number // len(flavour.folders) % len(names)]
        turn = number // (len(flavour.folders) * len(names))
        found.append(f"{folder}/{name}{turn or ''}.{flavour.ending}")
    return found
