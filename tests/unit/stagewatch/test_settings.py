"""Settings: which source wins, what a fault says, and that no secret is shown."""

from pathlib import Path

import pytest

from rules import QuietHours
from rules.durations import Duration
from stagewatch.settings import SettingError, Settings, describe, load_settings, masked_url

HOME = {"HOME": "/home/op"}
CONTRACT_KEYS = {
    "broker", "store", "data_dir", "definitions", "sources", "smtp_url", "sms_url", "metrics_port", "application_id",
    "dialects", "partitions", "merge_wait_s",
}  # fmt: skip


def write(folder: Path, text: str) -> Path:
    path = folder / "stagewatch.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path | None, environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingError) as caught:
        load_settings(path, environ)
    return caught.value.messages


def test_without_anything_the_defaults_hold() -> None:
    settings = load_settings(None, HOME)
    assert settings.broker == "embedded"
    assert settings.bootstrap is None
    assert settings.data_dir == Path("/home/op/.local/share/stagewatch")
    assert settings.store == "sqlite:////home/op/.local/share/stagewatch/stagewatch.db"
    assert settings.limits == "default"
    assert (settings.merge_wait_s, settings.session_timeout_s, settings.transaction_timeout_s) == (300, 10, 15)
    assert settings.smtp_url is None
    assert settings.metrics_port == 0
    assert settings.mail_domain == "stagewatch.local"
    assert settings.warnings == ()
    assert settings.source_of("broker") == "default"


def test_shipped_folders_are_where_the_packages_are() -> None:
    settings = load_settings(None, HOME)
    assert [path.name for path in settings.definitions] == ["definitions"]
    assert [path.name for path in settings.sources] == ["sources"]
    assert settings.definitions[0].is_dir()


def test_file_wins_over_default_and_environment_over_file(tmp_path: Path) -> None:
    path = write(tmp_path, "# mine\nmetrics_port: 9100\nmerge_wait_s: 5\n")
    settings = load_settings(path, HOME | {"STAGEWATCH_MERGE_WAIT_S": "7.5"})
    assert settings.metrics_port == 9100
    assert settings.merge_wait_s == 7.5
    assert settings.source_of("metrics_port") == f"{path}:2"
    assert settings.source_of("merge_wait_s") == "STAGEWATCH_MERGE_WAIT_S"
    assert settings.source_of("limits") == "default"


def test_every_key_can_be_said_in_the_environment(tmp_path: Path) -> None:
    said = {
        "BROKER": "kafka://a:9092,b:9093",
        "APPLICATION_ID": "watch-2",
        "DATA_DIR": "/data",
        "STORE": "postgresql+psycopg://u:p@db/x",
        "DEFINITIONS": f"/one:{tmp_path}",
        "SOURCES": "/src",
        "DIALECTS": '{"cdc.mkt.*": {"dialect": "ogg-json", "column_timezone": "Asia/Shanghai"}}',
        "CONNECT_URL": "http://connect:8083",
        "CONNECTORS": "/connectors",
        "PRECEDENCE": "{visit: [lean, mkt]}",
        "SCHEMA_REGISTRY_URL": "https://user:word@registry:8081/path",
        "LIMITS": "older",
        "CALENDAR": "every_day",
        "ORPHAN_AFTER": "2h",
        "PARTITIONS": "16",
        "MERGE_WAIT_S": "1",
        "MAX_SKEW_S": "60",
        "SESSION_TIMEOUT_S": "6",
        "TRANSACTION_TIMEOUT_S": "20",
        "SMTP_URL": "smtp://mail:25",
        "SMS_URL": "http://gw/send",
        "SMS_CARRIERS": '{mobile: "cmpp://u:p@gw:7890?access=10690001"}',
        "SMS_DIRECTORY": "/staff.csv",
        "SMS_IS_IDEMPOTENT": "true",
        "MAIL_DOMAIN": "grid.example",
        "MAIL_DIGEST_S": "0",
        "GROUP_WAIT_S": "0.5",
        "MUTE": "[{until: 2026-03-02T09:00:00+08:00, rule: R-T03}]",
        "SMS_GATHER_S": "60",
        "SMS_PARTS": "4",
        "QUIET_HOURS": "{starts: '21:00', duty: [M1]}",
        "DAILY_CAP": "20",
        "INHIBIT": "true",
        "PUSH_HOST": "0.0.0.0",
        "PUSH_PORT": "8191",
        "PUSH_TOKENS": "{mob: env:MOB_TOKEN}",
        "PUSH_MAX_BYTES": "2000",
        "PUSH_ROWS_PER_S": "0",
        "PULLS": "/pulls",
        "METRICS_PORT": "9100",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "debug",
    }
    assert set(said) == {key.upper() for key in Settings.model_fields}
    environ = {f"STAGEWATCH_{key}": value for key, value in said.items()}
    settings = load_settings(None, environ)
    assert settings.bootstrap == "a:9092,b:9093"
    assert settings.definitions == (Path("/one"), tmp_path)
    assert settings.dialect_overrides == {"cdc.mkt.*": {"dialect": "ogg-json", "column_timezone": "Asia/Shanghai"}}
    assert settings.orphan_after == Duration("h", 2)
    assert settings.sms_is_idempotent
    assert settings.mute[0].until_ms == 1_772_413_200_000
    assert settings.quiet_hours == QuietHours(starts="21:00", ends="08:00", duty=["M1"])
    assert all(row.source == f"STAGEWATCH_{row.key.upper()}" for row in describe(settings))
    assert settings.warnings == ()


def test_the_contract_example_of_dialects(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'dialects:\n  "cdc.mkt.*": {dialect: ogg-json, op_ts_timezone: UTC, column_timezone: Asia/Shanghai}\n',
    )
    assert load_settings(path, {}).dialect_overrides["cdc.mkt.*"]["op_ts_timezone"] == "UTC"


def test_paths_in_the_file_are_relative_to_its_folder(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "data_dir: state\ndefinitions: [mine, /all]\nsources: src\n"), HOME)
    assert settings.data_dir == tmp_path / "state"
    assert settings.store == f"sqlite:///{tmp_path}/state/stagewatch.db"
    assert settings.definitions == (tmp_path / "mine", Path("/all"))
    assert settings.sources == (tmp_path / "src",)
    assert load_settings(None, {"STAGEWATCH_DATA_DIR": "state"}).data_dir == Path.cwd() / "state"


def test_the_data_folder_follows_xdg() -> None:
    assert load_settings(None, HOME | {"XDG_DATA_HOME": "/xdg"}).data_dir == Path("/xdg/stagewatch")
    assert load_settings(None, HOME | {"XDG_DATA_HOME": "no/path"}).data_dir.is_relative_to("/home/op")
    assert load_settings(None, {}).data_dir.is_absolute()


def test_an_empty_variable_turns_off_what_can_be_turned_off(tmp_path: Path) -> None:
    path = write(tmp_path, "smtp_url: smtp://mail\npartitions: 4\nmetrics_port: 9100\n")
    environ = {"STAGEWATCH_SMTP_URL": "", "STAGEWATCH_PARTITIONS": "", "STAGEWATCH_METRICS_PORT": ""}
    settings = load_settings(path, environ)
    assert settings.smtp_url is None
    assert settings.partitions is None
    assert settings.metrics_port == 9100


def test_every_fault_of_the_file_has_its_place(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "broker: localhost:9092\nmetrics_prot: 1\nmetrics_port: 99999\nsmtp_url: http://x\n"
        "dialects:\n  cdc.mkt.*: {dialect: oog-json}\n  cdc.x: {}\nmute:\n  - {until: soon}\n"
        "orphan_after: 5\nmerge_wait_s: [1]\nzzz: 1\n",
    )
    found = faults(path, {})
    assert [line.removeprefix(f"{path}:").split(" ")[0] for line in found] == [
        "1:9:", "2:1:", "3:15:", "4:11:", "6:24:", "7:10:", "9:13:", "10:15:", "11:15:", "12:1:",
    ]  # fmt: skip
    assert "did you mean metrics_port?" in found[1]
    assert "known: application_id, broker" in found[-1]


def test_faults_of_the_environment_name_the_variable() -> None:
    found = faults(
        None,
        {
            "STAGEWATCH_BROKER": "kafka://localhost",
            "STAGEWATCH_METRICS_PORT": "http",
            "STAGEWATCH_DIALECTS": "{cdc.mkt: {dialect: x}}",
            "STAGEWATCH_MUTE": "[",
            "STAGEWATCH_PARTITIONS": "0",
        },
    )
    assert [line.split(": ")[0] for line in found] == [
        "STAGEWATCH_BROKER", "STAGEWATCH_DIALECTS", "STAGEWATCH_PARTITIONS", "STAGEWATCH_MUTE",
        "STAGEWATCH_METRICS_PORT",
    ]  # fmt: skip
    assert "cdc.mkt.dialect" in found[1]


def test_faults_of_file_and_environment_are_told_at_once(tmp_path: Path) -> None:
    found = faults(write(tmp_path, "metrics_port: x\n"), {"STAGEWATCH_PARTITIONS": "x"})
    assert len(found) == 2


@pytest.mark.parametrize("text", ["[1, 2]", "just text", "a: [", "a: 1\na: 2"])
def test_a_file_that_is_no_mapping_is_a_fault_with_a_place(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    assert all(line.startswith(f"{path}:") for line in faults(path, {}))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert faults(tmp_path / "no.yaml", {}) == [f"{tmp_path}/no.yaml: No such file or directory"]


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "# nothing yet\n"), HOME) == load_settings(None, HOME)


def test_unknown_variables_only_warn() -> None:
    settings = load_settings(None, HOME | {"STAGEWATCH_SMPT_URL": "x", "STAGEWATCH_REQUIRE": "kafka", "OTHER": "x"})
    assert settings.warnings == (
        "unknown environment variable 'STAGEWATCH_SMPT_URL'; did you mean STAGEWATCH_SMTP_URL or STAGEWATCH_SMS_URL?",
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("smtp://user:pass@mail:25?from=a@b&starttls=yes", "smtp://***@mail:25?from=a@b&starttls=yes"),
        ("smtp://mail:25?from=a@b", "smtp://mail:25?from=a@b"),
        ("http://gw/send?token=abc&from=x", "http://gw/send?token=***&from=x"),
        ("http://gw/send?abc", "http://gw/send?***"),
        ("postgresql://u:p/q@w@db:5432/x", "postgresql://***@db:5432/x"),
        ("postgresql://u:hun?ter2@h/db", "postgresql://***"),
        ("postgresql://u:p@hun?ter2@h/db?sslmode=require", "postgresql://***"),
        ("postgresql://u:hun?ter=2@h/db", "postgresql://***"),
        ("http://gw/send?token=a@b", "http://***"),
        ("sqlite:////data/x.db", "sqlite:////data/x.db"),
        ("kafka://a:1,b:2", "kafka://a:1,b:2"),
    ],
)
def test_urls_are_shown_without_secrets(url: str, shown: str) -> None:
    assert masked_url(url) == shown


def test_describe_has_every_setting_and_no_secret() -> None:
    secret = "hunter2"
    settings = load_settings(
        None,
        {
            "STAGEWATCH_SMTP_URL": f"smtp://u:{secret}@mail",
            "STAGEWATCH_SMS_URL": f"http://gw/?key={secret}",
            "STAGEWATCH_STORE": f"postgresql://u:{secret}@db/x",
        },
    )
    rows = describe(settings)
    assert {row.key for row in rows} >= CONTRACT_KEYS
    assert all(row.meaning and row.value for row in rows)
    assert secret not in str(rows)
    assert next(row for row in rows if row.key == "merge_wait_s").value == "300 s"
    assert next(row for row in rows if row.key == "partitions").value == "(unset)"


def test_faults_never_repeat_a_secret(tmp_path: Path) -> None:
    secret = "hunter2"
    path = write(
        tmp_path, f"smtp_url: ftp://u:{secret}@mail\nstore: mysql://u:{secret}@db\nbroker: kafka://u:{secret}@h:1\n"
    )
    environ = {"STAGEWATCH_SMS_URL": f"ftp://{secret}", "STAGEWATCH_STORE": f"{secret}"}
    assert secret not in "\n".join(faults(path, environ))


@pytest.mark.parametrize(
    "broker", ["kafka://h:9092", "kafka://a:1,b:2,c:3", "kafka://[::1]:9092", "kafka://h:9092/", "embedded"]
)
def test_brokers_that_are_taken(broker: str) -> None:
    assert load_settings(None, {"STAGEWATCH_BROKER": broker}).broker == broker


@pytest.mark.parametrize(
    "broker", ["kafka://", "kafka://h", "kafka://h:0", "kafka://h:70000", "kafka://a:1,,b:2", "h:1"]
)
def test_brokers_that_are_refused(broker: str) -> None:
    assert "kafka://host:port" in faults(None, {"STAGEWATCH_BROKER": broker})[0]


def test_accounts_of_carriers_are_shown_without_their_secrets(tmp_path: Path) -> None:
    text = 'sms_carriers:\n  mobile: "cmpp://901234:hunter2@gw:7890?access=10690001&key=hidden"\n'
    (row,) = [row for row in describe(load_settings(write(tmp_path, text), HOME)) if row.key == "sms_carriers"]
    assert row.value == "mobile: cmpp://***@gw:7890?access=10690001&key=***"


def test_an_unknown_carrier_and_a_wrong_scheme_are_faults_with_their_places(tmp_path: Path) -> None:
    path = write(tmp_path, "sms_carriers:\n  mobil: cmpp://u:hunter2@gw?access=1\n  unicom: ftp://u:hunter2@gw\n")
    said = faults(path, {})
    assert [line.partition(":")[2].split(":")[0] for line in said] == ["2", "3"]
    assert not [line for line in said if "hunter2" in line]


@pytest.mark.parametrize("url", ["console", "console:"])
def test_the_console_is_named_with_or_without_a_colon(tmp_path: Path, url: str) -> None:
    path = write(tmp_path, f"sms_url: '{url}'\nsmtp_url: '{url}'\nsms_carriers: {{mobile: '{url}'}}\n")
    settings = load_settings(path, HOME)
    assert (settings.sms_url, settings.smtp_url, settings.sms_carriers) == ("console", "console", {"mobile": "console"})
