"""Which unit of systemd, container and pod a process belongs to, from /proc/PID/cgroup.

    0::/system.slice/docker-3f2a...4.scope          docker's container 3f2a...4
    0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service    a user's unit

Each line is `number:controllers:path`; cgroup v2 has one line, with number 0 and no controllers.
The path is read from left to right. What stands below a container's own cgroup is the container's
systemd and changes nothing, except for a container within the container: the innermost counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple


class Container(NamedTuple):
    """A container as its runtime calls it: an id, or the name where the runtime has no ids."""

    id: str
    runtime: str | None  # None where the path does not tell


class Place(NamedTuple):
    """Where a process runs; None is what its cgroup does not tell. `chain` has the containers
    around it, the outermost first."""

    unit: str | None = None
    container: str | None = None
    runtime: str | None = None
    pod: str | None = None
    chain: tuple[Container, ...] = ()


NOWHERE = Place()

ID = "[0-9a-f]{64}"
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# Which runtime writes this before the id: docker-3f2a...4.scope
PREFIXES = {
    "docker": "docker",
    "libpod": "podman",
    "libpod-payload": "podman",
    "cri-containerd": "containerd",
    "containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "crio",
}
PREFIXED = re.compile(f"({'|'.join(PREFIXES)})-({ID})(?:\\.scope)?")
# The default names of runc, crun and youki: runc-NAME.scope
NAMED = re.compile(r"(runc|crun|runsc|youki)-(.+)\.scope")
# Where no scope was made of it: kubepods-pod1.slice:cri-containerd:3f2a...4
TRIPLE = re.compile(r"([^:]*\.slice):([^:]+):([^:]+)")
BARE = re.compile(ID)
# The runtime whose directory holds bare ids; "" says that it is not told.
PARENTS = {
    "docker": "docker",
    "default": "containerd",
    "k8s.io": "containerd",
    "moby": "docker",
    "libpod_parent": "podman",
    "ecs": "ecs",
}
FARGATE = re.compile(r"[0-9a-f]{32}-[0-9]+")
GARDEN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3,4}[0-9a-f]{0,8}")
POD = re.compile(
    r"(?:.*-)?pod([0-9a-f]{8}[-_](?:[0-9a-f]{4}[-_]){3}[0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?"
)
LXC = re.compile(r"lxc\.payload\.(?:user-[0-9]+_)?(.+)")
MACHINE = re.compile(r"machine-(.+)\.scope")
LIBVIRT_LXC = re.compile(r"lxc-[0-9]+-(.+)")
NSPAWN = re.compile(r"systemd-nspawn@(.+)\.service")
NOMAD = re.compile(rf"({UUID}\..+)\.scope")
UNIT = re.compile(r".+\.(?:service|scope|socket|mount|swap)")
MANAGER = re.compile(r"user@[0-9]+\.service")
# Processes of a runtime that stand beside the container, not in it
MONITORS = re.compile(
    rf"conmon|(?:libpod|crio)-conmon-{ID}(?:\.scope)?|lxc\.monitor(?:\..+)?|supervisor"
)
SANDBOXES = {"app-flatpak-": "flatpak", "snap.": "snap"}  # they have the host's network
ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
DELETED = " (deleted)"  # what the kernel puts after the path of a cgroup that was removed


@lru_cache(4096)  # 20 us a text; on a host few are distinct
def place_of_cgroup(text: str) -> Place:
    """Where a process runs, from the whole text of its cgroup file (one character per byte).

    The line that names a container counts most, then one that names a unit; among those cgroup
    v2's, then systemd's own hierarchy, then any other.
    """
    best = NOWHERE
    for path in paths(text):
        place = place_at(path)
        if place.container:
            return place
        if not best.unit and (place.unit or place.pod or place.runtime):
            best = place
    return best


def paths(text: str) -> list[str]:
    """The distinct paths, the most telling first."""
    found: dict[str, int] = {}
    for line in text.split("\n"):
        number, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if not colon or not path.strip("/"):
            continue
        rank = 0 if number == "0" and not controllers else 1 if controllers == "name=systemd" else 2
        found[path] = min(rank, found.get(path, rank))
    return sorted(found, key=found.__getitem__)


def place_at(path: str) -> Place:
    """Where the processes of one cgroup run."""
    parts = [part for part in path.removesuffix(DELETED).split("/") if part not in ("", "..")]
    walk = Walk()
    for parent, part in zip(["", *parts], parts):
        if not walk.step(part, parent):
            break
    return walk.place()


class Walk:
    """The path as far as it was read."""

    def __init__(self) -> None:
        self.unit: str | None = None
        self.runtime: str | None = None
        self.pod: str | None = None
        self.chain: list[Container] = []
        self.nspawn = ""  # the machine of a service of systemd-nspawn, and of nothing else yet

    def place(self) -> Place:
        container = self.chain[-1] if self.chain else None
        return Place(
            self.unit,
            container and container.id,
            container.runtime if container else self.runtime,
            self.pod,
            tuple(self.chain),
        )

    def step(self, part: str, parent: str) -> bool:
        """Read one component; False where the rest tells nothing more."""
        if MONITORS.fullmatch(part):
            if part == "supervisor" and MACHINE.fullmatch(parent):
                self.chain.pop()
            self.enter_unit(part)
            return False
        pod = POD.fullmatch(part)
        if pod:
            self.enter_pod(pod[1])
            return True
        container = self.container(part, parent)
        if container:
            self.chain.append(container)
            if UNIT.fullmatch(part):
                self.unit = part  # of the container within a container too
            return True
        if part == "buildkit" and parent == "docker":
            self.runtime = "docker"
        if part.startswith("kata_"):
            self.runtime = "kata"  # a virtual machine; the containers are within it
        self.enter_unit(part)
        return True

    def enter_pod(self, uid: str) -> None:
        """Kubernetes' pod. Of a node that is a container itself, the containers are below."""
        self.pod = uid.replace("_", "-")
        self.runtime = "kubernetes"

    def enter_unit(self, part: str) -> None:
        """The first unit on the way down; of a user's manager the unit that the user started."""
        if self.chain or not UNIT.fullmatch(part):
            return
        manager = self.unit is not None and MANAGER.fullmatch(self.unit)
        if self.unit is None or (manager and part != "init.scope"):
            self.unit = part.removeprefix("_")
            nspawn = NSPAWN.fullmatch(part)
            self.nspawn = nspawn[1] if nspawn else ""
            if part.endswith(".scope"):
                starts = (kind for start, kind in SANDBOXES.items() if part.startswith(start))
                self.runtime = next(starts, None)

    def container(self, part: str, parent: str) -> Container | None:
        """The container whose own cgroup this is."""
        inside_pod = bool(self.pod) and self.runtime == "kubernetes"
        prefixed = PREFIXED.fullmatch(part)
        if prefixed:
            return Container(prefixed[2], PREFIXES[prefixed[1]])
        if BARE.fullmatch(part):
            runtime = "kubernetes" if inside_pod else PARENTS.get(parent)
            return Container(part, runtime or ("ecs" if self.runtime == "ecs" else None))
        triple = TRIPLE.fullmatch(part)
        if triple:
            pod = POD.fullmatch(triple[1])
            if pod:
                self.enter_pod(pod[1])
            return Container(triple[3], PREFIXES.get(triple[2], triple[2]))
        if parent == "ecs":
            self.runtime = "ecs"  # a task; its containers are below
        if self.runtime == "ecs" and FARGATE.fullmatch(part):
            return Container(part, "ecs")
        if inside_pod and re.fullmatch(UUID, part):
            return Container(part, "kubernetes")
        if parent == "garden" and GARDEN.fullmatch(part):
            return Container(part, "garden")
        if parent in ("lxc", "lxc.payload"):
            return Container(part, "lxc")
        return self.named(part, parent)

    def named(self, part: str, parent: str) -> Container | None:
        """The same of runtimes that know their containers by name."""
        lxc = LXC.fullmatch(part)
        if lxc:
            return Container(lxc[1], "lxc")
        machine = MACHINE.fullmatch(part)
        if machine:
            name = unescaped(machine[1])
            inner = LIBVIRT_LXC.fullmatch(name)
            if inner:
                return Container(inner[1], "lxc")
            if name.startswith("rkt-"):
                return Container(name.removeprefix("rkt-"), "rkt")
            return None if name.startswith("qemu-") else Container(name, "systemd-nspawn")
        if part == "payload" and self.nspawn:
            return Container(unescaped(self.nspawn), "systemd-nspawn")
        named = NAMED.fullmatch(part)
        if named:
            return Container(named[2], named[1])
        if parent in ("nomad.slice", "share.slice", "reserve.slice"):
            nomad = NOMAD.fullmatch(part)
            if nomad:
                return Container(nomad[1], "nomad")
        return None


def unescaped(name: str) -> str:
    r"""A name as it was before systemd escaped it: my\x2dbox -> my-box."""
    return ESCAPED.sub(lambda code: chr(int(code[1], 16)), name)


def chain_texts(chain: Iterable[Container]) -> list[str]:
    """The chain for records: `lxc:host`, `docker:3f2a...4`."""
    return [f"{one.runtime or 'container'}:{one.id}" for one in chain]
