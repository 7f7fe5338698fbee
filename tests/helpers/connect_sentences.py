"""What any Kafka Connect, real or not, must see our client do. Each sentence gets a `Scene` of its own.

Run over the stand-in by `tests/contract/test_connect_rest.py` and over the real one by
`tests/e2e/test_connectors_rest.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from connectors.connect import (
    ConnectClient,
    Desired,
    Patience,
    Policy,
    Refused,
    Timing,
    UnknownConnector,
    await_state,
    carry_out,
    is_ours,
    objections,
    plan,
)
from schemas import TryLater
from schemas.yaml_places import Places
from tests.helpers.connect_front import Front

FAST = Patience(first_s=0.01, longest_s=0.2, total_s=20)
OURS = Policy("stagewatch")


@dataclass(frozen=True)
class Scene:
    """One connector to be made, and the front before the Connect that shall make it."""

    front: Front
    name: str
    config: dict[str, str]
    timing: Timing
    answer_s: float
    """Longest that this Connect needs for an answer, when it means to give one."""

    @property
    def client(self) -> ConnectClient:
        return ConnectClient(self.front.url, FAST)

    @property
    def place(self) -> str:
        return f"/connectors/{self.name}"

    def desired(self, **changed: str) -> Desired:
        return Desired(self.name, "test.yaml", "running", self.config | changed, None, None, {}, Places("test.yaml"))

    def actions(self, desired: Desired, policy: Policy = OURS) -> list[str]:
        """What a plan for it says."""
        return [action.value for action in plan([desired], self.client.connectors(), policy)[0].actions]

    def apply(self, desired: Desired, policy: Policy = OURS) -> str:
        item = plan([desired], self.client.connectors(), policy)[0]
        return carry_out(self.client, item, self.timing, lambda _: None)


def what_was_applied_is_as_it_shall_be(scene: Scene) -> None:
    assert scene.actions(scene.desired()) == ["create"]
    assert scene.apply(scene.desired()) == f"created connector {scene.name}"
    live = scene.client.connectors()[scene.name]
    assert is_ours(live, "stagewatch")
    assert scene.config.items() <= live.config.items()
    assert scene.actions(scene.desired()) == ["nothing"]


def a_changed_file_is_an_update_and_a_hand_is_drift(scene: Scene) -> None:
    scene.apply(scene.desired())
    changed = scene.desired(**{"heartbeat.interval.ms": "7000"})
    assert scene.actions(changed) == ["update"]
    scene.apply(changed)
    live = scene.client.connectors()[scene.name]
    scene.client.put_config(scene.name, {**live.config, "max.batch.size": "1024"})
    assert scene.actions(changed) == ["drift"]
    assert scene.actions(changed, replace(OURS, replaces=True)) == ["update"]


def a_rebalance_is_waited_for(scene: Scene) -> None:
    scene.front.will("conflict", "POST", "/connectors$", times=2)
    scene.front.will("unavailable", "GET", f"{scene.place}/status", times=1)
    scene.front.will("expected", "GET", f"{scene.place}/status", times=1)
    scene.front.will("conflict", "GET", f"{scene.place}$", times=1)
    scene.apply(scene.desired())
    assert scene.front.count("POST /connectors") == 3


def a_conflict_without_end_is_given_up_with_its_reason(scene: Scene) -> None:
    scene.front.will("conflict", "POST", "/connectors$", times=1000)
    client = ConnectClient(scene.front.url, replace(FAST, total_s=0.3))
    with pytest.raises(TryLater, match="rebalance was underway"):
        client.create(scene.name, scene.config, "running")
    assert scene.client.connector(scene.name) is None


def a_create_whose_answer_is_lost_is_found_done(scene: Scene) -> None:
    scene.front.will("cut", "POST", "/connectors$")
    assert scene.apply(scene.desired()) == f"created connector {scene.name}"
    assert scene.front.count("POST /connectors") == 1


def a_create_that_timed_out_but_went_on_is_found_done(scene: Scene) -> None:
    scene.front.will("late", "POST", "/connectors$")
    assert scene.apply(scene.desired()) == f"created connector {scene.name}"
    assert scene.actions(scene.desired()) == ["nothing"]


def a_create_that_timed_out_undone_is_repeated(scene: Scene) -> None:
    scene.front.will("undone", "POST", "/connectors$")
    scene.apply(scene.desired())
    assert scene.front.count("POST /connectors") == 2


def a_create_that_never_answers_is_found_done(scene: Scene) -> None:
    scene.front.will("hangs", "POST", "/connectors$")
    client = ConnectClient(scene.front.url, replace(FAST, answer_s=scene.answer_s))
    client.create(scene.name, scene.config, "running")
    assert scene.front.count("POST /connectors") == 1


def somebody_elses_connector_of_the_name_is_never_touched(scene: Scene) -> None:
    theirs = scene.config | {"max.batch.size": "999"}
    item = plan([scene.desired()], scene.client.connectors(), OURS)[0]
    scene.client.create(scene.name, theirs, "running")  # between plan and apply
    with pytest.raises(Refused, match="somebody else"):
        carry_out(scene.client, item, scene.timing, lambda _: None)
    assert scene.actions(scene.desired()) == ["foreign"]
    assert scene.actions(scene.desired(), replace(OURS, prunes=True)) == ["foreign"]
    assert scene.client.connectors()[scene.name].config == theirs
    assert scene.actions(scene.desired(), replace(OURS, adopted={scene.name})) == ["update"]


def an_update_whose_answer_is_lost_is_found_done(scene: Scene) -> None:
    scene.apply(scene.desired())
    scene.front.will("cut", "PUT", "/config$")
    changed = scene.desired(**{"heartbeat.interval.ms": "7000"})
    assert scene.apply(changed) == f"updated connector {scene.name}"
    assert scene.front.count(f"PUT {scene.place}/config") == 1
    assert scene.actions(changed) == ["nothing"]


def an_update_that_timed_out_undone_is_repeated(scene: Scene) -> None:
    scene.apply(scene.desired())
    scene.front.will("undone", "PUT", "/config$")
    scene.apply(scene.desired(**{"heartbeat.interval.ms": "7000"}))
    assert scene.front.count(f"PUT {scene.place}/config") == 2


def accepted_changes_of_state_are_waited_for(scene: Scene) -> None:
    scene.apply(scene.desired())
    for state in ("paused", "stopped", "running"):
        scene.client.change_state(scene.name, state)
        await_state(scene.client, scene.name, state, scene.timing, lambda _: None)
        assert scene.client.connectors()[scene.name].is_at(state)
    paused = replace(scene.desired(), state="paused")
    assert scene.actions(paused) == ["pause"]
    scene.apply(paused)
    assert scene.actions(paused) == ["nothing"]
    assert scene.actions(scene.desired()) == ["resume"]


def a_connector_can_be_made_without_starting_it(scene: Scene) -> None:
    scene.apply(replace(scene.desired(), state="stopped"))
    live = scene.client.connectors()[scene.name]
    assert (live.state, live.tasks) == ("STOPPED", ())


def offsets_change_only_while_stopped(scene: Scene) -> None:
    scene.apply(scene.desired())
    with pytest.raises(Refused, match="STOPPED state"):
        scene.client.reset_offsets(scene.name)
    scene.client.change_state(scene.name, "stopped")
    await_state(scene.client, scene.name, "stopped", scene.timing, lambda _: None)
    scene.front.will("conflict", "DELETE", "/offsets$")
    assert scene.client.reset_offsets(scene.name)
    assert scene.client.offsets(scene.name) == []


def a_delete_whose_answer_is_lost_is_found_done(scene: Scene) -> None:
    scene.apply(scene.desired())
    scene.front.will("late", "DELETE", f"{scene.place}$")
    scene.client.delete(scene.name)
    assert scene.client.connector(scene.name) is None
    with pytest.raises(UnknownConnector):
        scene.client.delete(scene.name)


def stars_in_place_of_secrets_are_no_difference(scene: Scene) -> None:
    scene.apply(scene.desired())
    scene.front.will("masked", "GET", r"/connectors\?", times=2)
    assert scene.actions(scene.desired()) == ["nothing"]
    assert scene.actions(scene.desired(**{"heartbeat.interval.ms": "7000"})) == ["update"]


def validation_names_the_setting_and_a_likely_slip(scene: Scene) -> None:
    errors, odd = objections(scene.client, scene.name, scene.config)
    assert (list(errors), list(odd)) == ([], [])
    dropped = {"database.hostname", "heartbeat.interval.ms"}
    broken = {key: value for key, value in scene.config.items() if key not in dropped}
    errors, odd = objections(scene.client, scene.name, broken | {"hearbeat.interval.ms": "1"})
    assert "database.hostname" in {error.setting for error in errors}
    assert "did you mean heartbeat.interval.ms" in odd[0]


def a_plugin_that_is_not_there_is_said_with_those_that_are(scene: Scene) -> None:
    config = scene.config | {"connector.class": "io.debezium.connector.oracle.OracleConnector"}
    with pytest.raises(Refused, match=r"no plugin io\.debezium\.connector\.oracle.*PostgresConnector"):
        objections(scene.client, scene.name, config)


SENTENCES: list[Callable[[Scene], None]] = [
    what_was_applied_is_as_it_shall_be,
    a_changed_file_is_an_update_and_a_hand_is_drift,
    a_rebalance_is_waited_for,
    a_conflict_without_end_is_given_up_with_its_reason,
    a_create_whose_answer_is_lost_is_found_done,
    a_create_that_timed_out_but_went_on_is_found_done,
    a_create_that_timed_out_undone_is_repeated,
    a_create_that_never_answers_is_found_done,
    somebody_elses_connector_of_the_name_is_never_touched,
    an_update_whose_answer_is_lost_is_found_done,
    an_update_that_timed_out_undone_is_repeated,
    accepted_changes_of_state_are_waited_for,
    a_connector_can_be_made_without_starting_it,
    offsets_change_only_while_stopped,
    a_delete_whose_answer_is_lost_is_found_done,
    stars_in_place_of_secrets_are_no_difference,
    validation_names_the_setting_and_a_likely_slip,
    a_plugin_that_is_not_there_is_said_with_those_that_are,
]
