"""The twelve repositories of the local GitHub: whose they are, who may read them, how much happened."""

from trackeep.sandbox.cast import BOT, ORGANIZATION
from trackeep.sandbox.plan import Spec
from trackeep.sandbox.words import FLAVOURS

SIZES = ("small", "full", "large")
_EVERYBODY = {"alice": "admin", "bob": "push", "carol": "push", "zoe-l": "push"}


def specs(size: str) -> list[Spec]:
    """All repositories, parents before their forks; size is `small` or `full` (see masses.py for `large`)."""
    return [*_fernhill(full=size == "full"), *_personal(), *_of_others()]


def _fernhill(*, full: bool) -> list[Spec]:
    return [
        Spec(
            ORGANIZATION, "atlas", FLAVOURS["atlas"], 70_001,
            {"alice": 34, "bob": 26, "carol": 18, "zoe-l": 14, BOT: 8},
            commits=20_000 if full else 1_280, pulls=290 if full else 90, issues=160 if full else 50,
            releases=18, branches=200 if full else 30, files=400 if full else 120, has_team=True,
            arranged=("review", "team", "ready", "waiting"), old_merges=6, collaborators=_EVERYBODY,
        ),
        Spec(
            ORGANIZATION, "harbor", FLAVOURS["harbor"], 70_002, {"alice": 40, "carol": 35, "zoe-l": 20,
            BOT: 5},
            commits=640, pulls=55, issues=24, releases=9, branches=9, private=True, has_team=True,
            arranged=("again", "returned", "draft"), old_merges=3,
            collaborators={"alice": "admin", "carol": "push", "zoe-l": "push"},
        ),
        Spec(
            ORGANIZATION, "kelp-ui", FLAVOURS["kelp-ui"], 70_003,
            {"alice": 25, "bob": 30, "zoe-l": 35, BOT: 10}, commits=420, pulls=45, issues=18, releases=6,
            branches=11, private=True, has_team=True, began=800, arranged=("review", "waiting"), old_merges=2,
            collaborators=_EVERYBODY,
        ),
        Spec(
            ORGANIZATION, "reedbed", FLAVOURS["reedbed"], 70_004, {"alice": 20, "bob": 25, "carol": 55},
            commits=380, pulls=35, issues=16, releases=5, branches=7, has_team=True, old_merges=2,
            arranged=("ready",), collaborators=_EVERYBODY,
        ),
    ]  # fmt: skip


def _personal() -> list[Spec]:
    return [
        Spec(
            "alice", "almanac", FLAVOURS["almanac"], 70_005, {"alice": 90, "zoe-l": 10}, commits=620,
            pulls=18,
            issues=12, releases=6, branches=4, arranged=("draft", "review"), old_merges=1,
            collaborators={"zoe-l": "push"},
        ),
        Spec(
            "alice", "paper-boat", FLAVOURS["paper-boat"], 70_006, {"alice": 100}, commits=70, branches=2,
            private=True, began=240,
        ),
        Spec(
            "alice", "tide-tables", FLAVOURS["tide-tables"], 70_007, {"alice": 80, "bob": 20}, commits=130,
            pulls=6, issues=8, releases=3, branches=2, archived=True, ended=430,
        ),
        Spec("alice", "seedling", FLAVOURS["seedling"], 70_008, {"alice": 100}, began=35),
        Spec(
            "alice", "lighthouse", FLAVOURS["lighthouse"], 70_009, {"alice": 85, "carol": 15}, commits=160,
            pulls=9, issues=6, releases=4, branches=3, former_names=("beacon",), began=700,
            collaborators={"carol": "push"},
        ),
    ]  # fmt: skip


def _of_others() -> list[Spec]:
    return [
        Spec(
            "bob", "otter-cli", FLAVOURS["otter-cli"], 70_010, {"bob": 65, "alice": 35}, commits=210,
            pulls=20,
            issues=8, releases=5, branches=3, private=True, began=600, arranged=("review", "returned"),
            collaborators={"alice": "push"},
        ),
        Spec(
            "carol", "heron", FLAVOURS["heron"], 70_011, {"carol": 70, "zoe-l": 20, "alice": 10}, commits=350,
            pulls=30, issues=20, releases=8, branches=6, old_merges=2, arranged=("waiting",),
            from_fork="alice",
            collaborators={"zoe-l": "push"},
        ),
        Spec(
            "alice", "heron", FLAVOURS["heron"], 70_012, {"alice": 100}, began=500,
        ),
    ]  # fmt: skip
