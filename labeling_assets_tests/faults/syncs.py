"""Ways to sync and to publish: in peace, while people work on, with lost connections, killed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from labeling_assets_tests.faults.both_sides import BothSides
from labeling_assets_tests.faults.contents import expire_leases
from labeling_assets_tests.faults.office import CONFIG, Office
from labeling_assets_tests.faults.operations import OPERATIONS
from labeling_assets_tests.faults.raw_label_studio import Snapshot
from labeling_assets_tests.faults.referee import Boundary
from labeling_assets_tests.faults.stages import Stages, Stand, cut, killed
from labeling_assets_tests.faults.steps import Step
from labeling_assets_tests.sync.world import picture

_SYNCS: Final[Mapping[str, int]] = {"sync project": 6, "collect": 4, "reconcile": 1, "collect in full": 1}
_OF_SNAPSHOTS: Final = ("/exports", "/dm/views")
_LAST: Final = 45
"""A sync of a few tasks has some 30 to 60 boundaries; a hit that comes later is a sync in peace."""


class Syncs:
    """Runs steps against an office; each sync must leave Label Studio as it is."""

    def __init__(self, office: Office, stages: Stages, step: Step) -> None:
        self._office, self._stages, self._step = office, stages, step

    def sync(self) -> str:
        """One of the four syncs, in one of four ways."""
        chance = self._office.chance
        name = chance.choices(list(_SYNCS), list(_SYNCS.values()))[0]
        way: Callable[[Stand], tuple[list[Snapshot], bool, str]] = chance.choices(
            [self._in_peace, self._among_people, self._with_lost_connections, self._killed], [4, 3, 1, 4]
        )[0]
        return self.run(name, chance.choice(self._office.batches), way)

    def run(
        self, name: str, batch: str = "", way: Callable[[Stand], tuple[list[Snapshot], bool, str]] | None = None
    ) -> str:
        """Sync and note what it has seen."""
        office = self._office
        stand = Stand(replace(self._step, name=name, batch=batch), office.world)
        expire_leases(office.world.db)
        before = office.tasks()
        moments, complete, what = (way or self._in_peace)(stand)
        batches = [batch] if name.startswith("collect") else None
        office.history.synced([before, *moments], batches=batches, complete=complete)
        if complete and not moments:
            unsynced = both_sides(office).unsynced(batches)
            assert not unsynced, "\n".join([f"{name} {batch} was not enough:", *unsynced])
        return f"--- {name} {batch if batches else ''}: {what}"

    def publish(self) -> str:
        """A new batch; some are killed, and are then the task of somebody later."""
        office = self._office
        batch = f"batch{len(office.batches) + len(office.unfinished) + 1}"
        names = range(office.pictures, office.pictures + office.chance.randint(2, 6))
        office.pictures = names.stop
        again = office.chance.randrange(names.start) if names.start else 0  # a medium that another batch has as well
        files = {f"a{number:02}.png": picture(number) for number in {*names, again}}
        office.history.media |= set(office.world.hand_in(files, batch=batch).guids)
        office.unfinished.append(batch)
        return self.finish(batch, kill=office.chance.random() < 0.3)

    def finish(self, batch: str, *, kill: bool = False) -> str:
        """Publish a batch, perhaps once more."""
        office = self._office
        stand = Stand(replace(self._step, name="publish", batch=batch), office.world)
        expire_leases(office.world.db)
        if kill:
            at = office.chance.randrange(_LAST)
            referee = killed(self._stages, stand, _at(at))
            if referee.hit:
                return f"--- publish {batch}: killed at {_shown(referee.hit[0])}"
        else:
            stand.step.run(lambda _: None)
        office.unfinished.remove(batch)
        office.batches.append(batch)
        office.history.batches.add(batch)
        office.history.published(batch, office.tasks())
        return f"--- publish {batch}: {len(office.tasks())} tasks now"

    def add_a_label(self) -> str:
        """In the project's folder, or by a person in Label Studio, who then tells the team."""
        office = self._office
        office.labels.append(f"new{len(office.labels)}")
        more = "".join(f'<Label value="{label}"/>' for label in office.labels)
        config = CONFIG.replace('<Label value="car"/><Label value="dog"/>', more)
        by_hand = office.chance.random() < 0.5
        if by_hand:
            office.people[0].ls.update_project(office.project_id, label_config=config)
        office.world.rewrite(config=config, yaml="max_deleted_share: 1")
        expire_leases(office.world.db)
        if not by_hand:
            office.world.publish(office.chance.choice(office.batches))
        return f"--- the label {office.labels[-1]} is new{', made in Label Studio' * by_hand}"

    # The ways

    def _in_peace(self, stand: Stand) -> tuple[list[Snapshot], bool, str]:
        work = self._office.raw.work()
        stand.step.run(lambda _: None)
        assert self._office.raw.work() == work, "the sync wrote to Label Studio"
        return [], True, "in peace"

    def _among_people(self, stand: Stand) -> tuple[list[Snapshot], bool, str]:
        """Somebody does something at some of the boundaries, while the sync waits there."""
        office, moments, done = self._office, list[Snapshot](), list[str]()
        failures: list[BaseException] = []

        def works(_: Boundary) -> bool:
            if not failures and len(done) < 4 and office.chance.random() < 0.08:
                try:
                    done.append(self.work())
                    moments.append(office.tasks())
                except BaseException as error:  # noqa: BLE001  # the thread of a proxy is no place for it
                    failures.append(error)
            return False

        referee = cut(stand, works)
        if failures:
            raise failures[0]
        sent = {seen.what for seen in referee.passed if seen.writes and seen.server == "Label Studio"}
        assert not [what for what in sent if not any(path in what for path in _OF_SNAPSHOTS)], sent
        return moments, True, "; meanwhile ".join(["among people", *done])

    def work(self) -> str:
        """Something that people do."""
        office = self._office
        while True:
            operation = office.chance.choices(list(OPERATIONS), list(OPERATIONS.values()))[0]
            done = operation(office)
            if done is not None:
                return done

    def _with_lost_connections(self, stand: Stand) -> tuple[list[Snapshot], bool, str]:
        work, at = self._office.raw.work(), self._office.chance.randrange(_LAST)
        referee = cut(stand, _at(at))
        assert self._office.raw.work() == work, "the sync wrote to Label Studio"
        return [], not referee.hit, f"cut at {_shown(referee.hit[0])}" if referee.hit else "in peace"

    def _killed(self, stand: Stand) -> tuple[list[Snapshot], bool, str]:
        work, at = self._office.raw.work(), self._office.chance.randrange(_LAST)
        referee = killed(self._stages, stand, _at(at))
        assert self._office.raw.work() == work, "the sync wrote to Label Studio"
        return [], not referee.hit, f"killed at {_shown(referee.hit[0])}" if referee.hit else "in peace"


def both_sides(office: Office) -> BothSides:
    return BothSides(office.world, office.tasks(), office.history, office.world.ls.users())


def _at(number: int) -> Callable[[Boundary], bool]:
    """The boundary with this number, from 0, whatever it is."""
    left = iter(range(number, -1, -1))
    return lambda _: next(left, None) == 0


def _shown(boundary: Boundary) -> str:
    return f"{boundary.server}, {boundary.what}, number {boundary.number}, {boundary.moment}"
