"""docker-compose.yml, Dockerfile and deploy/: the same names as config.py, the same rules as the embedded servers."""

import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from idp import config
from idp.embedded import redis as embedded_redis

TOP = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((TOP / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = ("migrate", "web", "worker", "ops")

# Names of config.py that a container has no use for, and why.
NOT_IN_COMPOSE = {
    "IDP_HOME": "the data folder of a local deployment",
    "IDP_KEY_RING": "the ring lies on the volume that IDP_KEYS names",
    "IDP_OUTBOUND_ALLOW": "its default reaches the public Internet alone",
    "IDP_CLIENT_CERTIFICATE_SECRET": "Caddy as it is shipped asks nobody for a certificate",
    "IDP_MTLS_BASE_URL": "the same",
    "IDP_BREACHED_PASSWORDS": "the shipped filter is in the image",
    "IDP_OUTBOUND_CA": "its default trusts what the image trusts",
    "IDP_BUDGET": "its default is the shipped one",
    "IDP_PROVE_EVERY": "a worker that proves needs the role of operators, which the shipped one is not given",
}


def names(service: str) -> set[str]:
    return {name for name in SERVICES[service].get("environment", {}) if name.startswith("IDP_")}


def known() -> set[str]:
    return {f"IDP_{field.name.upper()}" for field in dataclasses.fields(config.Settings)}


def test_environment_names_are_those_of_config():
    used = set().union(*(names(service) for service in SERVICES))
    assert used <= known()
    assert known() - used == set(NOT_IN_COMPOSE)


def test_the_image_sets_only_names_that_config_knows():
    assert set(re.findall(r"\b(IDP_[A-Z_]+)=", (TOP / "Dockerfile").read_text())) <= known()


def test_web_and_worker_log_in_as_the_runtime_alone():
    for service in ("web", "worker"):
        assert not names(service) & {
            "IDP_OPS_DATABASE_URL", "IDP_MIGRATOR_DATABASE_URL", "IDP_ADMIN_DATABASE_URL", "IDP_REDIS_ADMIN_URL",
            "IDP_BACKUP_DATABASE_URL",
        }  # fmt: skip
        assert SERVICES[service]["environment"]["IDP_DATABASE_URL"].startswith("postgresql://idp_app:")


def test_settings_accept_what_the_containers_are_given():
    for service in OURS:
        given = {
            name: re.sub(
                r"\$\{(\w+)-([^}]*)\}", lambda found: found[2] or f"x-{found[1].lower()}", str(value)
            )
            for name, value in SERVICES[service]["environment"].items()
        }
        for name in ("IDP_DOMAIN", "IDP_SMTP_URL", "IDP_MAIL_FROM"):
            given.pop(name, None)
        assert config.Settings.load(given).env == "production"


@pytest.mark.parametrize("service", OURS)
def test_our_containers_run_as_nobody_on_a_read_only_root(service):
    assert SERVICES[service]["user"] == "nobody"
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]


def test_web_has_two_replicas_behind_caddy():
    assert SERVICES["web"]["deploy"]["replicas"] == 2
    assert "ports" not in SERVICES["web"]
    caddyfile = (TOP / "deploy" / "Caddyfile").read_text()
    assert "dynamic a web 8000" in caddyfile
    assert "ask http://web:9000/" in caddyfile


def test_the_management_listener_is_not_published():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert not [port for port in published if "9000" in str(port)]


def test_pgbouncer_lends_connections_for_one_transaction():
    settings = (TOP / "deploy" / "pgbouncer" / "pgbouncer.ini").read_text()
    assert re.search(r"^pool_mode = transaction$", settings, re.MULTILINE)
    assert re.search(r"^auth_type = scram-sha-256$", settings, re.MULTILINE)


def test_valkey_has_the_same_two_users_as_the_embedded_one():
    script = (TOP / "deploy" / "valkey" / "start.sh").read_text()
    assert f"user {embedded_redis.RUNTIME_USER} on >" in script
    assert embedded_redis.RUNTIME_RULES in script
    assert f"user {embedded_redis.OPERATOR} on >" in script
    assert "user default off" in script


def test_secrets_script_makes_every_name_that_compose_reads():
    done = subprocess.run(["sh", "deploy/secrets.sh"], cwd=TOP, capture_output=True, text=True, check=True)
    made = dict(line.split("=", 1) for line in done.stdout.splitlines())
    asked = set(re.findall(r"\$\{(\w+)", (TOP / "docker-compose.yml").read_text()))
    assert asked - set(made) == {"TENANT_DOMAIN", "SMTP_URL", "MAIL_FROM"}  # none is a choice
    secrets = [value for name, value in made.items() if name.endswith("PASSWORD")]
    assert len(set(secrets)) == len(secrets) == 7
    assert all(len(value) == 64 for value in secrets)


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed here")
def test_docker_compose_accepts_the_file():
    done = subprocess.run(
        ["docker-compose", "config", "-q"], cwd=TOP, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("caddy"), reason="caddy is not installed here")
def test_caddy_accepts_its_file():
    done = subprocess.run(
        ["caddy", "validate", "--config", "deploy/Caddyfile", "--adapter", "caddyfile"], cwd=TOP, check=False,
        capture_output=True, text=True, env={"PATH": os.environ["PATH"], "PUBLIC_HOST": "id.example.com"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
