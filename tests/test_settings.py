"""The environment as an argument."""

import tempfile
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import pytest

from qwen_demo.settings import Settings, WrongSetting

ROOT = Path(__file__).parents[1]
NAMES = [variable.metadata["name"] for variable in fields(Settings)]


def test_an_empty_environment_is_the_offline_app() -> None:
    assert Settings.from_env({}) == Settings(
        api_key="",
        base_url="https://model-api.skyengine.com.cn/v1",
        dialect=None,
        models={},
        max_in_flight=32,
        max_rate=None,
        timeout=300,
        trusted_hosts=(),
        outputs=Path("outputs"),
        embed_recipe=True,
        drain=60,
        log_json=False,
        prices={},
        currency="",
        public=False,
        own_keys=True,
        own_hosts=(),
        visitor_quota="",
        total_quota="",
        visitor_attempts="",
        visitor_in_flight=0,
        quota_storage="memory://",
        trusted_proxies=0,
        allowed_hosts=(),
        auth=None,
        secret=b"",
        mcp=find_spec("mcp") is not None,
    )
    assert Settings.from_env({}).offline


def test_variables_are_read_and_trimmed() -> None:
    settings = Settings.from_env(
        {"QWEN_API_KEY": " sk-1 ", "QWEN_BASE_URL": "http://127.0.0.1:8100/v1/", "QWEN_MAX_IN_FLIGHT": "4"}
    )
    assert (settings.api_key, settings.base_url, settings.max_in_flight) == ("sk-1", "http://127.0.0.1:8100/v1", 4)
    assert not settings.offline


@pytest.mark.parametrize("environ", [{"SPACE_ID": "someone/demo"}, {"GRADIO_SHARE": "True"}])
def test_a_space_and_a_shared_link_are_public_unless_told_otherwise(environ: dict[str, str]) -> None:
    assert Settings.from_env(environ).public
    assert not Settings.from_env({**environ, "QWEN_DEMO_PUBLIC": "0"}).public
    assert Settings.from_env(environ).visitor_attempts == "60/minute"
    assert Settings.from_env({**environ, "QWEN_DEMO_VISITOR_ATTEMPTS": "none"}).visitor_attempts == ""


def test_a_space_keeps_its_pictures_where_storage_is_attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Path(tempfile.gettempdir(), "qwen-image-demo")
    for storage, outputs in {tmp_path: tmp_path / "outputs", tmp_path / "none": elsewhere}.items():
        monkeypatch.setattr("qwen_demo.settings.STORAGE", storage)
        assert Settings.from_env({"SPACE_ID": "someone/demo"}).outputs == outputs
        assert Settings.from_env({"SPACE_ID": "someone/demo", "QWEN_DEMO_OUTPUTS": "mine"}).outputs == Path("mine")
        assert Settings.from_env({"QWEN_DEMO_PUBLIC": "1"}).outputs == elsewhere


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("QWEN_MAX_IN_FLIGHT", "many", "QWEN_MAX_IN_FLIGHT must be a whole number from 1 to 1000, not 'many'."),
        ("QWEN_MAX_IN_FLIGHT", "0", "QWEN_MAX_IN_FLIGHT must be a whole number from 1 to 1000, not '0'."),
        (
            "QWEN_MAX_RATE",
            "0",
            "QWEN_MAX_RATE must be calls a second from 0.01 to 1000 such as 2 or 0.5, or none, not '0'.",
        ),
        ("QWEN_TIMEOUT", "-3", "QWEN_TIMEOUT must be a whole number from 1 to 3600, not '-3'."),
        (
            "QWEN_BASE_URL",
            "model-api",
            "QWEN_BASE_URL must be an http:// or https:// address such as https://host/v1, not 'model-api'.",
        ),
        (
            "QWEN_DEMO_VISITOR_ATTEMPTS",
            "many",
            "QWEN_DEMO_VISITOR_ATTEMPTS must be a number of calls in a time such as 60/minute, or none, not 'many'.",
        ),
        ("QWEN_DEMO_EMBED_RECIPE", "maybe", "QWEN_DEMO_EMBED_RECIPE must be 1 or 0, not 'maybe'."),
        ("QWEN_API_KEY", "“sk-1”", "QWEN_API_KEY must be a key without spaces, in plain ASCII, not what it is."),
    ],
)
def test_a_wrong_value_is_one_clear_line(name: str, value: str, message: str) -> None:
    with pytest.raises(WrongSetting) as caught:
        Settings.from_env({name: value})
    assert str(caught.value) == message


def test_the_key_is_not_in_the_repr() -> None:
    assert "sk-secret" not in repr(Settings.from_env({"QWEN_API_KEY": "sk-secret"}))


@pytest.mark.parametrize("document", ["README.md", "README.zh-CN.md", ".env.example"])
def test_every_variable_is_documented(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert [name for name in NAMES if name not in text] == []
