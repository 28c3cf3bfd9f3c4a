"""The files for hosts: what the Dockerfile takes along, and what the containers of compose.yaml have in common.

`compose-spec.json` is the schema of the Compose specification as it is published, under the Apache License 2.0.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from qwen_demo.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
APPS = [service for name, service in SERVICES.items() if name.startswith("app-")]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_dockerfile_takes_along_what_is_there_and_runs_as_nobody_special() -> None:
    lines = DOCKERFILE.splitlines()
    copied = [source for line in lines if line.startswith("COPY") for source in line.split()[1:-1] if source[0] != "-"]
    assert {"app.py", "qwen_demo"} <= set(copied)
    assert all((ROOT / source).exists() for source in copied)
    assert lines.index("USER app") < next(index for index, line in enumerate(lines) if line.startswith("CMD"))


def test_the_compose_file_fits_the_published_schema() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(COMPOSE)) == []
    wrong = {**COMPOSE, "services": {"app": {"imagine": "a whale"}}}
    assert len(list(Draft202012Validator(schema).iter_errors(wrong))) == 1


def test_the_containers_are_where_nginx_and_the_app_look_for_them() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    (listens,) = re.findall(r"listen (\d+);", nginx)
    assert SERVICES["pod"]["ports"] == [f"{listens}:{listens}"]
    at = [f"127.0.0.1:{app['environment']['GRADIO_SERVER_PORT']}" for app in APPS]
    assert re.findall(r"server (\S+:\d+) ", nginx) == at
    assert {app["environment"]["GRADIO_SERVER_NAME"] for app in APPS} == {"127.0.0.1"}
    others = [service for name, service in SERVICES.items() if name != "pod"]
    assert {service["network_mode"] for service in others} == {"service:pod"}
    assert SERVICES["nginx"]["volumes"] == ["./nginx.conf:/etc/nginx/nginx.conf:ro"]
    assert f"http://127.0.0.1:{listens}/healthz" in SERVICES["nginx"]["healthcheck"]["test"]
    assert "os.environ['GRADIO_SERVER_PORT'] + '/healthz'" in DOCKERFILE


def test_the_apps_share_what_the_readme_says_they_must() -> None:
    told = (ROOT / "README.md").read_text(encoding="utf-8").partition("All processes get the same")[2]
    shared = re.findall(r"`(\w+)[=`]", told.partition("If Redis")[0])
    assert len(shared) == 5
    first, second = ({name: app["environment"][name] for name in shared} for app in APPS)
    assert first == second
    (folders,) = re.findall(r"chown app (.*)", DOCKERFILE)
    owned = {f"/home/app/{folder}" for folder in folders.split()}
    assert {volume.partition(":")[2] for app in APPS for volume in app["volumes"]} == owned
    assert {first["QWEN_DEMO_OUTPUTS"], first["GRADIO_TEMP_DIR"]} == owned
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert used - {"./nginx.conf"} == COMPOSE["volumes"].keys()


@pytest.mark.parametrize("app", APPS)
def test_an_app_of_compose_has_its_secrets_from_outside_and_settings_that_there_are(app: dict[str, Any]) -> None:
    environ = {name: str(value) for name, value in app["environment"].items()}
    assert app["env_file"] == "../.env"
    assert "QWEN_API_KEY" not in environ
    assert environ["QWEN_DEMO_SECRET"].startswith("${QWEN_DEMO_SECRET:?")
    settings = Settings.from_env(environ)
    assert (settings.quota_storage, settings.trusted_proxies) == ("redis://127.0.0.1:6379", 1)
    assert int(app["stop_grace_period"].removesuffix("s")) > settings.drain
