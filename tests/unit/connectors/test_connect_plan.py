"""The plan: what differs between files and Connect, whose it is, and what is never shown."""

import pytest

from connectors.connect import APPLIED, OWNER, Change, Desired, Item, Live, Policy, plan
from connectors.connect.live import LiveTask, parse_live
from connectors.connect.redaction import cleaned, is_masked, is_secret, literal_secret, shown
from schemas.yaml_places import Places

CONFIG = {"connector.class": "C", "topic.prefix": "mkt", "database.password": "${env:PW}"}
OURS = Policy("stagewatch")


def desired(state: str = "running", **changed: str) -> Desired:
    return Desired("mkt", "mkt.yaml", state, CONFIG | changed, None, None, {}, Places("mkt.yaml"))  # type: ignore[arg-type]


def live(item: Item, state: str = "RUNNING", *tasks: str, **changed: str) -> Live:
    """What runs after an item was carried out, and somebody then `changed` settings."""
    found = tuple(LiveTask(number, each, "w", "boom") for number, each in enumerate(tasks or ("RUNNING",)))
    return Live("mkt", {**item.config, **changed}, state, "w", "", found)


def planned(wanted: Desired, running: Live | None, policy: Policy = OURS) -> Item:
    return plan([wanted], {} if running is None else {"mkt": running}, policy)[0]


CREATED = planned(desired(), None)


def test_what_is_not_there_is_created_with_our_mark() -> None:
    assert CREATED.actions == ("create",)
    assert CREATED.config[OWNER] == "stagewatch"
    assert CREATED.config.items() > CONFIG.items()


def test_what_is_as_it_shall_be_is_left_alone() -> None:
    assert planned(desired(), live(CREATED)).actions == ("nothing",)


def test_a_changed_file_is_an_update_that_drops_what_the_file_dropped() -> None:
    item = planned(desired(**{"tasks.max": "1"}), live(planned(desired(extra="x"), None)))
    assert item.actions == ("update",)
    assert item.changes == (Change("extra", "x", None), Change("tasks.max", None, "1"))
    assert "extra" not in item.config
    assert item.notes == ()


def test_what_a_hand_changed_is_put_back_and_what_it_added_stays() -> None:
    item = planned(desired(), live(CREATED, extra="x", **{"topic.prefix": "other"}))
    assert item.actions == ("update",)
    assert item.config["extra"] == "x"
    assert [change.setting for change in item.changes] == ["topic.prefix"]
    assert "changed by hand" in item.notes[0]
    assert "extra" in item.notes[0]
    assert "starts anew" in item.notes[1]


def test_only_added_settings_are_drift_until_they_shall_go() -> None:
    running = live(CREATED, extra="x")
    assert planned(desired(), running).actions == ("drift",)
    assert planned(desired(), running, Policy("stagewatch", replaces=True)).changes == (Change("extra", "x", None),)


@pytest.mark.parametrize(
    ("wanted", "state", "tasks", "actions"),
    [
        ("running", "PAUSED", ["PAUSED"], ("resume",)),
        ("paused", "RUNNING", ["RUNNING"], ("pause",)),
        ("stopped", "RUNNING", ["RUNNING"], ("stop",)),
        ("running", "RUNNING", ["RUNNING", "FAILED"], ("restart",)),
        ("running", "FAILED", ["RUNNING"], ("restart",)),
        ("running", "UNASSIGNED", ["UNASSIGNED"], ("nothing",)),
        ("stopped", "STOPPED", ["STOPPED"], ("nothing",)),
    ],
)
def test_states_are_brought_about(wanted: str, state: str, tasks: list[str], actions: tuple[str, ...]) -> None:
    created = planned(desired(wanted), None)
    assert planned(desired(wanted), live(created, state, *tasks)).actions == actions


def test_a_failed_connector_that_is_updated_is_restarted_too() -> None:
    item = planned(desired(extra="x"), live(CREATED, "RUNNING", "FAILED"))
    assert item.actions == ("update", "restart")


def test_somebody_elses_is_never_changed_nor_pruned() -> None:
    theirs = live(CREATED, **{OWNER: "others"})
    assert planned(desired(), theirs).actions == ("foreign",)
    assert planned(desired(), Live("mkt", CONFIG, "RUNNING", "", "", ())).actions == ("foreign",)
    assert plan([], {"mkt": theirs}, Policy("stagewatch", prunes=True)) == []


def test_ours_without_a_file_goes_only_when_asked() -> None:
    assert plan([], {"mkt": live(CREATED)}, OURS) == []
    assert plan([], {"mkt": live(CREATED)}, Policy("stagewatch", prunes=True))[0].actions == ("delete",)


def test_an_adopted_connector_gets_our_mark() -> None:
    theirs = Live("mkt", CONFIG, "RUNNING", "", "", (LiveTask(0, "RUNNING", "w", ""),))
    item = planned(desired(), theirs, Policy("stagewatch", adopted={"mkt"}))
    assert item.actions == ("update",)
    assert item.changes == ()
    assert {OWNER, APPLIED} <= item.config.keys()


def test_secrets_are_never_shown() -> None:
    assert Change("database.password", "${env:A}", "hunter2").shown() == ("***", "***")
    assert Change("url", None, "jdbc:pg://u:hunter2@db").shown() == (None, "jdbc:pg://***@db")
    oracle = "jdbc:oracle:thin:sys/hunt@er2@db:1521/x"
    assert Change("database.url", None, oracle).shown() == (None, "jdbc:oracle:thin:***@db:1521/x")
    assert literal_secret("database.url", oracle)
    for harmless in ("jdbc:oracle:thin:@//db:1521/x", "jdbc:oracle:thin:${env:U}/${env:P}@db"):
        assert not literal_secret("database.url", harmless)
        assert shown("database.url", harmless) == harmless


@pytest.mark.parametrize(
    "key",
    ["database.password", "ssl.keystore.password", "signal.consumer.sasl.jaas.config", "basic.auth.user.info",
     "auth.client-secret", "api.key", "ssl.keystore.key", "bearer.auth.token", "aws.credentials",
     "driver.trustStorePass", "ssl.keystore.passwd"],
)  # fmt: skip
def test_settings_that_hold_secrets(key: str) -> None:
    assert is_secret(key)
    assert shown(key, "hunter2") == "***"
    assert literal_secret(key, "hunter2 password=x")
    assert not literal_secret(key, "${file:/etc/secrets:x}")


@pytest.mark.parametrize(
    "key", ["message.key.columns", "database.user", "key.converter", "topic.prefix", "traffic.bypass"]
)
def test_settings_that_hold_none(key: str) -> None:
    assert not is_secret(key)


def test_stars_of_the_server_are_known() -> None:
    assert all(map(is_masked, ("••••••••", "*****", "[hidden]")))
    assert not is_masked("${env:X}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("transforms.a.headers", "Authorization: Bearer hunter2"), ("aws.secret.key", "hunter2"),
        ("azure.storage.account.key", "hunter2"), ("transforms.sign.signing.key", "hunter2"),
        ("producer.note", '{"password":"hunter2"}'), ("database.url", "jdbc:sqlserver://h;password={hun;ter2};x=1"),
        ("http.authorization", "Basic hunter2"), ("database.url", "jdbc:postgresql://h/db?user=u&sslpassword=hunter2"),
        ("database.url", "jdbc:sqlserver://h;trustStorePassword=hunter2"), ("u", "https://h/t?access_token=hunter2"),
        ("database.initial.statements", "ALTER USER u IDENTIFIED BY hunter2"),
        ("sasl.jaas.config", 'x.OAuthBearerLoginModule required clientId="a" clientSecret="hunter2";'),
        ("producer.note", '{"database.password": "hunter2"}'),
    ],
)  # fmt: skip
def test_a_secret_in_other_clothes_is_found_and_not_shown(key: str, value: str) -> None:
    assert literal_secret(key, value)
    assert "ter2" not in shown(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("message.key.columns", "mkt.mkt_app:app_no"), ("key.converter", "org.x.JsonConverter"),
        ("transforms.k.fields", "app_no,key"), ("database.password", "${env:P}"),
        ("transforms.a.headers", "Authorization: Bearer ${env:TOKEN}"),
    ],
)  # fmt: skip
def test_what_only_sounds_like_a_secret_or_refers_to_one_is_none(key: str, value: str) -> None:
    assert not literal_secret(key, value)


@pytest.mark.parametrize(
    "password", ["hun/ter2", "/hunter2", "hunter2/", "12/ter2", "hun@ter2", "hun/t@er/ter2", "hun?ter2", "h'un/ter2"]
)
@pytest.mark.parametrize("url", ["http://u:{}@h:8083/x", "jdbc:postgresql://u:{}@h/db?a=b", "mongodb://:{}@h:1,k:2"])
def test_a_password_in_a_url_is_found_whatever_it_is_made_of(url: str, password: str) -> None:
    value = url.format(password)
    assert literal_secret("some.url", value)
    assert "ter2" not in shown("some.url", value)
    assert "h" in shown("some.url", value).rpartition("@")[2]
    assert "ter2" not in cleaned(f"cannot reach {value}, giving up")


@pytest.mark.parametrize(
    "value",
    [
        "http://h:8083/a/b?c=d", "http://a:8081,http://b:8081/x", "http://${env:U}:${file:/a/b:c}@h:8081/x",
        "http://a:1/x,http://${env:U}:${env:P}@b:2", "kafka://a:9092,b:9092/x", "http://h:80/x mail a@b",
    ],
)  # fmt: skip
def test_a_url_without_a_password_is_not_taken_for_one(value: str) -> None:
    assert not literal_secret("some.url", value)


def test_text_of_others_is_cleaned() -> None:
    assert cleaned("Invalid value hunter2 for configuration database.password: no") == (
        "Invalid value *** for configuration database.password: no"
    )
    assert cleaned("Invalid value 7 for configuration tasks.max: no").startswith("Invalid value 7 ")
    assert cleaned("user=a password='hun ter2' at jdbc:x://a:b@h/d?pwd=q") == (
        "user=a password=*** at jdbc:x://***@h/d?pwd=***"
    )


def test_a_connector_without_a_state_yet_is_unknown() -> None:
    found = parse_live("mkt", {"info": {"config": {"name": "mkt", "a": "b"}}, "status": {}})
    assert (found.state, found.config, found.summary) == ("UNKNOWN", {"a": "b"}, "UNKNOWN, no tasks")
    assert not any(map(found.is_at, ("running", "paused", "stopped")))
