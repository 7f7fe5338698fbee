"""Who acts on tasks and anomalies in a world: they see what is published, and mostly do what comes next.

They also click twice, act on what they saw a while ago, take the same order at the same time, answer tasks of others,
and answer before anybody could have seen the task.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas import Command, CommandKind, TaskView, Text, decode_task, encode_command, encode_inbound
from streams.logic import SourcePartition
from streams.partitioner import Partitioner
from tests.simulation.desk_material import DeskMaterial
from tests.simulation.desk_process import MOBILES
from tests.simulation.process import NAMES

if TYPE_CHECKING:
    from tests.simulation.world import World

HANDS, ANALYST, LEADER, CHIEF = ("H1", "H2"), "C1", "L1", "B1"
"""Staff on site; who screens; who approves what they did not do themselves; who closes tasks by hand."""
OVER = frozenset({"CLOSED", "CONVERTED", "ARCHIVED"})
NEXT: dict[str, tuple[CommandKind, str]] = {
    "RAISED": ("confirm", ANALYST), "SCREENED": ("package", ANALYST), "RECTIFIED": ("forward", ANALYST),
    "FORWARDED": ("approve", ""), "APPROVED": ("archive", ANALYST),
}  # fmt: skip
ANY: tuple[CommandKind, ...] = (
    "confirm", "dismiss", "package", "forward", "approve", "reject", "archive", "lock", "unlock", "hand_over",
    "feed_back", "rectify",
)  # fmt: skip
OF_ORDERS = frozenset({"lock", "unlock", "hand_over", "feed_back", "rectify"})
POISON = b"hello"
DISMISSED_SHARE, MERGED_SHARE, REJECTED_SHARE = 0.1, 0.3, 0.3
"""Of what is screened, and of what a leader decides."""
MOST_REPLIES = 40
"""Of one world: far below what one mobile may send in a day."""


@dataclass(frozen=True)
class Reply:
    """A text of a manager about a task."""

    number: str
    mobile: str
    at: int


@dataclass
class Crowd:
    """All people of one world, and a record of what they did."""

    world: "World"
    material: DeskMaterial
    views: dict[str, TaskView] = field(default_factory=dict)
    sent: dict[tuple[str, int], Command] = field(default_factory=dict)
    """Commands by key and time."""
    replies: dict[str, Reply] = field(default_factory=dict)
    """By text: no two are alike."""
    _read: dict[SourcePartition, int] = field(default_factory=dict)
    _at: int = 0
    _tried: dict[str, tuple[TaskView, TaskView | None]] = field(default_factory=dict)
    _old: list[TaskView] = field(default_factory=list)

    # -- seeing

    def look(self) -> None:
        """Read what is published."""
        for n in range(self.world.counts[NAMES.tasks]):
            tp = SourcePartition(NAMES.tasks, n)
            records, self._read[tp] = self.world.broker.read(tp, self._read.get(tp, 0), 1 << 30)
            for record in records:
                key = (record.key or b"").decode()
                if key in self.views and self.world.rng.random() < 0.2:
                    self._old.append(self.views[key])
                if record.value is None:
                    self.views.pop(key, None)
                else:
                    self.views[key] = decode_task(record.value)

    # -- acting

    def act(self) -> None:
        """Somebody does something, sensible or not."""
        self.look()
        rng, world = self.world.rng, self.world
        choice = rng.random()
        seen = sorted(self.views.values(), key=lambda view: view.number)
        if choice < 0.02:
            tp = SourcePartition(NAMES.commands, rng.randrange(world.counts[NAMES.commands]))
            offset = world.broker.append(tp, None, POISON, world.loop.now_ms)
            world.letters[(*tp, offset)] = ("not-json", POISON)
        elif choice < 0.08 and self.material.tasks:
            number, _, person = rng.choice(self.material.tasks)
            self._reply(number, MOBILES[person])  # perhaps before there is such a task
        elif choice < 0.2 and self.sent:
            self._append(rng.choice(list(self.sent.values())))  # clicked twice, or found in a queue days later
        elif choice < 0.25 and self._old:
            self._do_next(rng.choice(self._old), with_version=True)
        elif choice < 0.4 and seen:
            self._do_any(rng.choice(seen))
        elif seen:
            self._do_next(rng.choice(seen), with_version=rng.random() < 0.5)

    def finish(self) -> bool:
        """Everybody does what is left to do, once for each thing they see; tell whether there was anything."""
        self.look()
        did = False
        if not self.world.counted["desk: archived in chaos"]:
            self.world.counted["desk: archived in chaos"] = sum(v.state == "ARCHIVED" for v in self.views.values())
        for number, view in sorted(self.views.items()):
            state = view, self._order_of(view)
            if view.kind != "order" and self._tried.get(number) != state:
                self._tried[number] = state
                did = self._do_next(view, with_version=False, is_calm=True) or did
        return did

    def _order_of(self, view: TaskView) -> TaskView | None:
        return self.views.get(view.anomaly.order) if view.anomaly is not None else None

    def _do_next(self, view: TaskView, *, with_version: bool, is_calm: bool = False) -> bool:
        version = view.version if with_version else None
        if view.kind == "task" and view.state not in OVER:
            self._answer(view, version, is_calm=is_calm)
        elif view.kind == "package" and view.state == "OPEN":
            self._say("dispatch", view.number, ANALYST, version=version)
        elif view.kind == "anomaly" and view.state in NEXT:
            kind, by = NEXT[view.state]
            by = by or (view.anomaly.leader if view.anomaly else "")
            if view.state == "FORWARDED" and self.world.rng.random() < REJECTED_SHARE:
                kind = "reject"
            elif view.state == "RAISED" and self.world.rng.random() < DISMISSED_SHARE:
                kind = "dismiss"
            elif view.state == "RAISED" and self.world.rng.random() < MERGED_SHARE:
                return self._merge(view, version)
            elif view.anomaly is not None and view.anomaly.merged_into and self.world.rng.random() < 0.5:
                return False  # the other one goes the way; who says it of this one says it of that one
            self._say(kind, view.number, by, version=version)
        elif view.kind == "anomaly" and view.anomaly is not None and view.anomaly.order in self.views:
            return self._on_site(view, self.views[view.anomaly.order], with_version=with_version)
        else:
            return False
        return True

    def _merge(self, view: TaskView, version: int | None) -> bool:
        """Say that it is the same as another one, wherever that one stands; now and then itself, or another unit's."""
        found = [each for each in self.views.values() if each.kind == "anomaly"]
        others = sorted(each.number for each in found if each.org_no == view.org_no and each.number != view.number)
        if not others or self.world.rng.random() < 0.1:
            others = sorted(each.number for each in found)
        self._say("merge", view.number, ANALYST, version=version, to=self.world.rng.choice(others))
        return True

    def _on_site(self, view: TaskView, order: TaskView, *, with_version: bool) -> bool:
        version = order.version if with_version else None
        if view.state not in {"DISPATCHED", "CHECKING", "FED_BACK"}:
            return False
        if order.state == "PENDING":
            for hand in self.world.rng.sample(HANDS, self.world.rng.randint(1, 2)):  # at the same time
                self._say("lock", order.number, hand, version=version)
        elif order.state == "LOCKED":
            kind: CommandKind = "feed_back" if view.state == "CHECKING" else "rectify"
            self._say(kind, order.number, order.person_no or "", version=version)
        return True

    def _do_any(self, view: TaskView) -> None:
        rng = self.world.rng
        if view.kind == "task":
            kinds: tuple[CommandKind, ...] = ("close", "hand_over", "acknowledge")
            self._say(rng.choice(kinds), view.number, CHIEF, to=rng.choice(sorted(MOBILES)))
        elif view.kind == "anomaly" and view.anomaly is not None:
            kind = rng.choice(ANY)
            key = view.anomaly.order if kind in OF_ORDERS and view.anomaly.order else view.number
            self._say(kind, key, rng.choice(HANDS if kind in OF_ORDERS else (*HANDS, ANALYST, LEADER)))

    def _answer(self, view: TaskView, version: int | None, *, is_calm: bool) -> None:
        rng = self.world.rng
        mobile = MOBILES.get(view.person_no or "")
        if mobile is None or len(self.replies) > MOST_REPLIES:
            self._say("close", view.number, CHIEF, version=version)
        elif is_calm or rng.random() < 0.7:
            self._reply(view.number, mobile)
        else:
            self._reply(view.number, rng.choice(sorted(MOBILES.values())))

    # -- writing

    def _moment(self) -> int:
        """No two things happen at the same moment: so each can be told from all others."""
        self._at = max(self.world.loop.now_ms, self._at + 1)
        return self._at

    def _say(self, kind: CommandKind, key: str, by: str, *, version: int | None = None, to: str = "") -> None:
        to = to or (LEADER if kind == "forward" else HANDS[0])
        command = Command(kind=kind, key=key, by=by, at=self._moment(), text="说明", to=to, version=version)
        self.sent[key, command.at] = command
        self._append(command)

    def _append(self, command: Command) -> None:
        key, number = Partitioner(self.world.counts[NAMES.commands]).of(command.key)
        self.world.broker.append(
            SourcePartition(NAMES.commands, number),
            key,
            encode_command(command),
            max(command.at, self.world.loop.now_ms),
        )

    def _reply(self, number: str, mobile: str) -> None:
        """Write a text to the gateway, which may deliver it again."""
        world, at = self.world, self._moment()
        text = f"{number} 已办{len(self.replies)}"
        self.replies[text] = Reply(number, mobile, at)
        value = encode_inbound(Text(id=f"reply:{len(self.replies)}", mobile=mobile, text=text, at=at))
        tp = SourcePartition(NAMES.inbound, Partitioner(world.counts[NAMES.inbound]).of(mobile)[1])
        for _ in range(world.rng.choice((1, 1, 2))):
            world.broker.append(tp, b"", value, at)
