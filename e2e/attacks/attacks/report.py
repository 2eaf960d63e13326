"""What was tried and what came of it: a table for people, an exit code for the test command."""

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Group:
    """Attacks of one kind."""

    held: int = 0
    got_in: list[str] = field(default_factory=list)
    controls: int = 0
    broken: list[str] = field(default_factory=list)


class Report:
    """Counts attacks that were withstood, attacks that got in, and legitimate twins."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = defaultdict(Group)

    def attack(self, group: str, name: str, held: bool, detail: object = "") -> None:
        """One attack; `held` says that it was withstood."""
        if held:
            self.groups[group].held += 1
        else:
            self.groups[group].got_in.append(f"{name}: {shown(detail)}")

    def control(self, group: str, name: str, works: bool, detail: object = "") -> None:
        """The legitimate twin of the group's attacks."""
        self.groups[group].controls += 1
        if not works:
            self.groups[group].broken.append(f"{name}: {shown(detail)}")

    def passed(self, least: dict[str, int]) -> bool:
        """Whether nothing got in, every control worked, and each group that ran tried as much as it must."""
        return all(
            not group.got_in and not group.broken and group.controls > 0 and group.held >= least.get(name, 1)
            for name, group in self.groups.items()
        )

    def table(self, least: dict[str, int]) -> str:
        """The table, then every attack that got in and every control that failed."""
        lines = [f"{'attacks on':<26} {'tried':>7} {'in':>5} {'controls':>9} {'failed':>7}"]
        found = []
        for name, group in self.groups.items():
            tried = group.held + len(group.got_in)
            lines.append(f"{name:<26} {tried:>7} {len(group.got_in):>5} {group.controls:>9} {len(group.broken):>7}")
            found += [f"IN       {name}: {what}" for what in group.got_in]
            found += [f"CONTROL  {name}: {what}" for what in group.broken]
            if group.controls == 0:
                found.append(f"CONTROL  {name}: nothing legitimate was tried")
            if tried < least.get(name, 1):
                found.append(f"TOO FEW  {name}: {tried} attacks, {least.get(name, 1)} are the least")
        tried = sum(group.held + len(group.got_in) for group in self.groups.values())
        got_in = sum(len(group.got_in) for group in self.groups.values())
        lines.append(f"{tried} attacks, {got_in} in")
        return "\n".join(lines + found)


def shown(detail: object) -> str:
    """A detail on one line, without control characters: what a server echoes does not reach the terminal."""
    text = str(detail)
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)[:300]
