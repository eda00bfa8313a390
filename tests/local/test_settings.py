"""Settings: each is used or refused, with a sentence that names it; secrets are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.settings import SETTINGS, BadSetting, PermittedTarget, config_home, read_settings

LOCAL = {"NOONDAY_AUTH": "local"}
SECRET = "whsec_" + "c2VjcmV0" * 5


def test_the_defaults_are_those_that_are_documented() -> None:
    settings = read_settings(LOCAL)
    assert settings.database.url == SETTINGS["NOONDAY_DATABASE"][0]
    assert str(settings.files) == SETTINGS["NOONDAY_FILES"][0]
    assert str(settings.workers) == SETTINGS["NOONDAY_WORKERS"][0]
    assert (settings.process, settings.http_allow, settings.token) == (False, (), None)


def test_every_setting_is_used() -> None:
    settings = read_settings(
        {
            "NOONDAY_AUTH": "local",
            "NOONDAY_DATABASE": "mysql://noonday@db.example:3307/noonday",
            "NOONDAY_DATABASE_PASSWORD": "secret-of-the-store",
            "NOONDAY_CONNECTION_WAREHOUSE": "sqlite:///warehouse.db",
            "NOONDAY_CONNECTION_DATA_LAKE": "mysql://reader@lake/data",
            "NOONDAY_CONNECTION_DATA_LAKE_PASSWORD": "secret-of-the-lake",
            "NOONDAY_FILES": "/srv/files",
            "NOONDAY_RUNS": "/srv/runs",
            "NOONDAY_HTTP_ALLOW": "localhost, 10.0.0.0/8, ::1, intern.example:8443",
            "NOONDAY_WEBHOOK_SECRETS": f'{{"*": "{SECRET}", "red": ["{SECRET}", "{SECRET}"]}}',
            "NOONDAY_URL": "https://noonday.example/base",
            "NOONDAY_TARGETS_ALLOW": '[{"owner": "team-*", "kind": "sqs", "resource": "*"}]',
            "NOONDAY_AWS_REGION": "eu-central-1",
            "NOONDAY_QUEUES": "https://sqs.eu-central-1.amazonaws.com/123456789012/noonday-dev-",
            "NOONDAY_DATABASE_SECRET": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db",
            "NOONDAY_DATABASE_IAM": "on",
            "NOONDAY_ADMINS": "role:Noonday-Admins, group:admins",
            "NOONDAY_PROCESS": "ON",
            "NOONDAY_WORKERS": "3",
            "NOONDAY_GRACE": "0",
            "NOONDAY_TOKEN": "a-token-of-the-operator",
            "NOONDAY_LOG": "error",
        }
    )
    assert settings.database.password == "secret-of-the-store"
    assert settings.connections["data_lake"].password == "secret-of-the-lake"
    assert settings.connections["warehouse"].url == "sqlite:///warehouse.db"
    assert settings.http_allow == ("localhost", "10.0.0.0/8", "::1", "intern.example:8443")
    assert (settings.process, settings.workers, settings.grace_s) == (True, 3, 0)
    assert (settings.files, settings.runs) == (Path("/srv/files"), Path("/srv/runs"))
    assert settings.targets_allow == (PermittedTarget("team-*", "sqs", "*"),)
    assert settings.aws_region == "eu-central-1"
    assert (settings.queues or "").endswith("/noonday-dev-")
    assert (settings.database_secret or "").startswith("arn:")
    assert settings.database_iam
    assert settings.admins == {"role:noonday-admins", "group:admins"}
    assert settings.webhook_secrets == {"*": (SECRET,), "red": (SECRET, SECRET)}
    assert settings.address == "https://noonday.example/base"
    assert settings.log == "error"
    shown = repr(settings)
    assert "secret-of" not in shown
    assert SECRET not in shown
    assert "a-token" not in shown


REFUSED = {
    "no auth": ({"NOONDAY_AUTH": ""}, "NOONDAY_AUTH is not set"),
    "another auth": ({"NOONDAY_AUTH": "ldap"}, "one of local, iam, cognito"),
    "no URL": ({"NOONDAY_DATABASE": "noonday.db"}, "write sqlite:///PATH"),
    "a weak secret": ({"NOONDAY_WEBHOOK_SECRETS": "whsec_c2VjcmV0"}, "24 to 64 bytes"),
    "a secret of nobody": ({"NOONDAY_WEBHOOK_SECRETS": '{"red": 1}'}, "a secret of red"),
    "secrets in no form": ({"NOONDAY_WEBHOOK_SECRETS": "{whsec}"}, "is no JSON"),
    "no file of secrets": ({"NOONDAY_WEBHOOK_SECRETS": "/no/such"}, "nor a file"),
    "no address": ({"NOONDAY_URL": "noonday.example"}, "write https://noonday.example.com"),
    "another database": ({"NOONDAY_DATABASE": "postgres://u@h/d"}, "scheme 'postgres'"),
    "no file": ({"NOONDAY_DATABASE": "sqlite:///"}, "write sqlite:///PATH"),
    "an administrator that is none": ({"NOONDAY_ADMINS": "alice"}, "write role:NAME"),
    "no database": ({"NOONDAY_DATABASE": "mysql://u@h"}, "USER@HOST"),
    "a port that is none": ({"NOONDAY_DATABASE": "mysql://u@h:x/d"}, "NOONDAY_DATABASE is no URL"),
    "authorities that are nowhere": ({"NOONDAY_DATABASE_CA": "/no/file"}, "where no file is"),
    "a connection that is none": ({"NOONDAY_CONNECTION_X": "oracle"}, "NOONDAY_CONNECTION_X"),
    "a host that is none": ({"NOONDAY_HTTP_ALLOW": "a b"}, "neither a host"),
    "a network that is none": ({"NOONDAY_HTTP_ALLOW": "10.0.0.0/99"}, "neither a host"),
    "a list that is none": ({"NOONDAY_TARGETS_ALLOW": "[1"}, "is no JSON"),
    "a file that is none": ({"NOONDAY_TARGETS_ALLOW": "no-file.json"}, "neither a JSON list nor"),
    "an entry that is none": ({"NOONDAY_TARGETS_ALLOW": '["sqs"]'}, "each entry is like"),
    "an entry with a field too few": (
        {"NOONDAY_TARGETS_ALLOW": '[{"owner": "*", "kind": "sqs"}]'},
        "each entry is like",
    ),
    "a kind that is none": (
        {"NOONDAY_TARGETS_ALLOW": '[{"owner": "*", "kind": "sq", "resource": "*"}]'},
        "no kind on AWS",
    ),
    "a role that is none": (
        {"NOONDAY_TARGETS_ALLOW": '[{"owner": "*", "kind": "sqs", "resource": "*", "role": "me"}]'},
        "is no role",
    ),
    "a region that is none": ({"NOONDAY_AWS_REGION": "Frankfurt"}, "is no region"),
    "queues that are none": ({"NOONDAY_QUEUES": "noonday-dev-"}, "write https://sqs"),
    "a switch that is none": ({"NOONDAY_PROCESS": "maybe"}, "one of on, off"),
    "no workers": ({"NOONDAY_WORKERS": "0"}, "from 1 to 256"),
    "workers in words": ({"NOONDAY_WORKERS": "many"}, "from 1 to 256"),
    "too much grace": ({"NOONDAY_GRACE": "601"}, "from 0 to 600"),
    "a weak token": ({"NOONDAY_TOKEN": "short"}, "16 or more"),
    "a token with a space": ({"NOONDAY_TOKEN": "sixteen letters and more"}, "no spaces"),
    "a level that is none": ({"NOONDAY_LOG": "loud"}, "one of debug, info, error, off"),
}


@pytest.mark.parametrize(("environ", "said"), REFUSED.values(), ids=REFUSED)
def test_a_setting_that_cannot_be_used_is_refused(environ: dict[str, str], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        read_settings({**LOCAL, **environ})


@pytest.mark.parametrize("name", ["NOONDAY_DATABASE", "NOONDAY_CONNECTION_LAKE"])
def test_a_password_in_a_url_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(BadSetting, match=f"{name}_PASSWORD") as refused:
        read_settings({**LOCAL, name: "mysql://user:hunter2@host/db"})
    assert "hunter2" not in str(refused.value)


def test_a_misspelt_setting_is_reported() -> None:
    settings = read_settings({**LOCAL, "NOONDAY_WORKER": "3", "NOONDAY_URL": "http://x"})
    assert settings.warnings == (
        "NOONDAY_WORKER is not a setting and does nothing; did you mean NOONDAY_WORKERS?",
    )


def test_the_configuration_of_a_person() -> None:
    assert config_home({"XDG_CONFIG_HOME": "/elsewhere"}) == Path("/elsewhere")
    assert config_home({"XDG_CONFIG_HOME": "relative"}) == Path.home() / ".config"
    assert config_home({}) == Path.home() / ".config"


def test_functions_keep_files_only_where_a_disk_is_named() -> None:
    queues = "https://sqs.eu-central-1.amazonaws.com/123456789012/noonday-"
    environ = {"NOONDAY_AUTH": "iam", "NOONDAY_QUEUES": queues}
    assert not read_settings(environ).keeps_files
    assert read_settings({**environ, "NOONDAY_FILES": "/mnt/shared"}).keeps_files
    assert read_settings({"NOONDAY_AUTH": "local"}).keeps_files
