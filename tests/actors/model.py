"""A simple model of supervision: what a tree of supervisors does, without tasks, messages or a loop.

Each operation changes the model at once and appends to `events` what actors have to do, in order: "init", "start" and
"stop" with path and incarnation. The state machine compares this with what the runtime does.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from actors import Backoff, Intensity, Restart, Strategy

UP, IGNORED, FAILED = "up", "ignored", "failed"


@dataclass(eq=False)
class Node:
    """A child: an actor, or a group of children with a supervisor."""

    id: str
    restart: Restart = Restart.PERMANENT
    backoff: Backoff | None = None
    path: str = ""
    incarnation: int = 0
    attempts: int = 0
    alive: bool = False
    pending: bool = False
    due: float | None = None
    started: float = 0.0


@dataclass(eq=False)
class Job(Node):
    """A supervised task, and how its runs ended; it has no hooks."""

    runs: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Group(Node):
    """A supervisor: its static children, those it has now, and its restart budget."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = field(default_factory=Intensity)
    static: list[Node] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    window: list[float] = field(default_factory=list)

    def child(self, id: str) -> Node | None:  # noqa: A002 - the field's name
        """The child of this id."""
        return next((each for each in self.children if each.id == id), None)


class Model:
    """The tree under `root`, which never gives up."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.events: list[str] = []
        self.plans: dict[str, deque[str]] = defaultdict(deque)  # outcomes of the next inits, by path
        self.parents: dict[Node, Group] = {}
        self.root = Group("test", path="/test", alive=True, intensity=Intensity(10**9))

    def adopt(self, parent: Group, node: Node) -> None:
        """Give a node, and all below it, its place."""
        node.path = f"{parent.path}/{node.id}"
        self.parents[node] = parent
        if isinstance(node, Group):
            for child in node.static:
                self.adopt(node, child)

    def nodes(self) -> list[Node]:
        """All children that are listed now, by depth."""
        found: list[Node] = []
        stack: list[Node] = [self.root]
        while stack:
            node = stack.pop()
            if isinstance(node, Group):
                found += node.children
                stack += [child for child in node.children if child.alive]
        return found

    # what operators do

    def start(self, group: Group, node: Node) -> str:
        """start_child."""
        group.children.append(node)
        outcome = self._bring_up(node)
        if outcome == IGNORED:
            self._settle(group, node)
        elif outcome == FAILED:
            group.children.remove(node)
        return outcome

    def restart(self, node: Node) -> str:
        """restart_child of one that is stopped."""
        node.attempts = 0
        outcome = self._bring_up(node)
        if outcome == IGNORED:
            self._settle(self.parents[node], node)
        return outcome

    def terminate(self, node: Node, queued: int = 0) -> None:
        """terminate_child, or a drain of so many messages."""
        group, waited = self.parents[node], node.pending
        self.events += [f"note {node.path}#{node.incarnation}"] * queued
        self._stop(node)
        self._settle(group, node)
        if waited:
            self._revive_rest(group)

    def delete(self, node: Node) -> None:
        """delete_child of one that is stopped; a static one comes back, anew, when its supervisor restarts."""
        group = self.parents[node]
        group.children.remove(node)
        if node in group.static:
            fresh = type(node)(node.id, node.restart, node.backoff)
            self.adopt(group, fresh)
            group.static[group.static.index(node)] = fresh

    def end(self, node: Node, *, abnormal: bool, hook: bool = True) -> None:
        """An actor ends by itself; `hook`: its on_stop runs."""
        self._down(node, hook, "failed" if abnormal else "finished")
        self._ended(node, abnormal)

    def cancel(self, node: Node) -> None:
        """Its task is cancelled from outside: an orderly end, and an abnormal one."""
        if isinstance(node, Group):
            self._stop_children(node)
        self.end(node, abnormal=True)

    def advance(self, until: float) -> None:
        """Let time pass: restarts that are due happen."""
        while True:
            due = [node for node in self.nodes() if node.due is not None and node.due <= until]
            if not due:
                break
            node = min(due, key=lambda each: each.due or 0.0)
            self.now = node.due or 0.0
            node.due = None
            self._revive(self.parents[node], node)
        self.now = until

    # what supervisors do

    def _bring_up(self, node: Node) -> str:
        node.incarnation += 1
        node.pending, node.due = False, None
        if isinstance(node, Group):
            node.children, node.window = [], []
            for child in node.static:
                if self.start(node, child) == FAILED:
                    self._stop_children(node)
                    return FAILED
        elif not isinstance(node, Job):
            self.events.append(f"init {node.path}#{node.incarnation}")
            plan = self.plans[node.path]
            outcome = plan.popleft() if plan else UP
            if outcome != UP:
                return outcome
            self.events.append(f"start {node.path}#{node.incarnation}")
        node.alive, node.started = True, self.now
        return UP

    def _down(self, node: Node, hook: bool = True, outcome: str = "stopped") -> None:
        node.alive = False
        if isinstance(node, Job):
            node.runs.append(outcome)
        elif hook and not isinstance(node, Group):
            self.events.append(f"stop {node.path}#{node.incarnation}")

    def _stop(self, node: Node) -> None:
        node.pending, node.due = False, None
        if node.alive and isinstance(node, Group):
            self._stop_children(node)
        if node.alive:
            self._down(node)

    def _stop_children(self, group: Group) -> None:
        for child in reversed(group.children):
            self._stop(child)

    def _settle(self, group: Group, node: Node) -> None:
        node.pending, node.due = False, None
        if node.restart is Restart.TEMPORARY and node in group.children:
            group.children.remove(node)

    def _ended(self, node: Node, abnormal: bool) -> None:
        group = self.parents[node]
        if node.restart is Restart.PERMANENT or (node.restart is Restart.TRANSIENT and abnormal):
            self._restart(group, node)
        else:
            self._settle(group, node)

    def _restart(self, group: Group, node: Node) -> None:
        delay = self._delay(node)
        if delay is None:
            self._settle(group, node)
        elif self._within_budget(group):
            node.pending = True
            for other in reversed(self._companions(group, node)):
                self._stop(other)
                if other.restart is Restart.TEMPORARY:
                    group.children.remove(other)
                else:
                    other.pending = True
            self._revive_later(group, node, delay)

    def _companions(self, group: Group, node: Node) -> list[Node]:
        later = group.children[group.children.index(node) + 1 :]
        cells = {Strategy.ONE_FOR_ONE: [], Strategy.ONE_FOR_ALL: group.children, Strategy.REST_FOR_ONE: later}
        return [each for each in cells[group.strategy] if each is not node and (each.alive or each.pending)]

    def _revive_later(self, group: Group, node: Node, delay: float) -> None:
        if delay > 0:
            node.due = self.now + delay
        else:
            self._revive(group, node)

    def _revive(self, group: Group, node: Node | None) -> None:
        waiting = [each for each in group.children if each.pending]
        if group.strategy is Strategy.ONE_FOR_ONE:
            waiting = [each for each in waiting if each is node]
        elif group.strategy is Strategy.REST_FOR_ONE and waiting[0] is not node and waiting[0].due is not None:
            return
        up: list[Node] = []
        for each in waiting:
            outcome = self._bring_up(each)
            if outcome == FAILED:
                self._retry(group, each, up)
                return
            if outcome == IGNORED:
                self._settle(group, each)
            else:
                up.append(each)

    def _retry(self, group: Group, node: Node, up: list[Node]) -> None:
        node.pending = True
        delay = self._delay(node)
        if delay is None:
            self._settle(group, node)
            self._revive_rest(group)
        elif self._within_budget(group):
            for other in reversed(up) if group.strategy is Strategy.ONE_FOR_ALL else ():
                self._stop(other)
                other.pending = True
            self._revive_later(group, node, delay)

    def _revive_rest(self, group: Group) -> None:
        waiting = [each for each in group.children if each.pending]
        if waiting and group.strategy is not Strategy.ONE_FOR_ONE and all(each.due is None for each in waiting):
            self._revive(group, None)

    def _delay(self, node: Node) -> float | None:
        if node.backoff is None:
            return 0.0
        if node.started and not node.pending and self.now - node.started >= node.backoff.reset_seconds:
            node.attempts = 0
        if node.backoff.max_restarts is not None and node.attempts >= node.backoff.max_restarts:
            return None
        node.attempts += 1
        return node.backoff.delay(node.attempts - 1, 0.0)

    def _within_budget(self, group: Group) -> bool:
        group.window = [*self.counted(group), self.now]
        if len(group.window) <= group.intensity.restarts:
            return True
        self._stop_children(group)
        group.alive = False
        self._ended(group, abnormal=False)
        return False

    def counted(self, group: Group) -> list[float]:
        """When the restarts happened that still count."""
        return [at for at in group.window if at >= self.now - group.intensity.within]
