"""Settings as people really write them: editors' encodings, quotes, pasted addresses, odd proxies."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from qwen_demo import environment
from qwen_demo.settings import Settings, WrongSetting
from tests.test_app import ROOT, wait_for

WORDS = "# 密钥\r\nQWEN_API_KEY=sk-test-77d0c1e5\r\nQWEN_DEMO_CURRENCY=元\r\n"
UNHEEDED = ("QWEN_", "GRADIO_", "SSL_CERT_")


def start(folder: Path, dotenv: bytes = b"", **environ: str) -> "subprocess.Popen[str]":
    """The app as it is started in a folder of its own, with a `.env` beside it."""
    (folder / "app.py").write_bytes((ROOT / "app.py").read_bytes())
    (folder / ".env").write_bytes(dotenv)
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(UNHEEDED) and not name.lower().endswith("_proxy") and name != "PYTHON_DOTENV_DISABLED"
    }
    settings = {
        "PYTHONPATH": str(ROOT),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "QWEN_DEMO_OUTPUTS": str(folder / "outputs"),
    }
    return subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=folder,
        env={**clean, **settings, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def refused(folder: Path, dotenv: bytes = b"", **environ: str) -> str:
    """The one line with which the app doesn't start."""
    process = start(folder, dotenv, **environ)
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 1, output
    (line,) = output.splitlines()
    return line


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def free_port() -> int:
    with taken_port() as port:
        return port


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gbk"])
def test_a_dotenv_of_any_editor_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".env").write_bytes(WORDS.encode(encoding))
    assert environment.env_file(str(tmp_path / ".env")).read() == WORDS


@pytest.mark.parametrize(
    "content", [b"QWEN_API_KEY=\xff\xff\xff\n", b"PK\x03\x04\0\0\0\0", b"\xff\xfeQ\0W", b"a\0\0\0\xff"]
)
def test_a_file_that_is_no_text_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(WrongSetting, match=r"\.env is not plain text: save it again as UTF-8"):
        environment.env_file(str(tmp_path / ".env"))


def test_no_dotenv_is_none(tmp_path: Path) -> None:
    assert environment.env_file("").read() == ""
    with pytest.raises(WrongSetting, match="can't be read: Is a directory"):
        environment.env_file(str(tmp_path))


@pytest.mark.parametrize(
    "value",
    [
        '"sk-test-77d0c1e5"',
        "'sk-test-77d0c1e5'",
        "Bearer sk-test-77d0c1e5",
        '"Bearer sk-test-77d0c1e5"',
        "Authorization: bearer  sk-test-77d0c1e5",
        "\ufeffsk-test-77d0c1e5\u200b",
        "sk-test-77d0c1e5\r\n",
        "\u2060 'sk-test-77d0c1e5' \xa0\r",
    ],
)
def test_what_clings_to_a_key_is_taken_off(value: str) -> None:
    assert Settings.from_env({"QWEN_API_KEY": value}).api_key == "sk-test-77d0c1e5"
    assert Settings.from_env({"\ufeffQWEN_API_KEY": value}).api_key == "sk-test-77d0c1e5"


def test_what_clings_to_other_values_is_taken_off_too() -> None:
    settings = Settings.from_env(
        {
            "QWEN_TIMEOUT": '"60"',
            "QWEN_DEMO_PRICES": "'{\"qwen-image\": 0.2}'",
            "QWEN_DEMO_AUTH": '"name:pass"\r',
            "QWEN_DEMO_LOG": "\u200bjson",
            "QWEN_API_KEY": '""',
        }
    )
    assert (settings.timeout, settings.prices, settings.auth) == (60, {"qwen-image": 0.2}, ("name", "pass"))
    assert settings.log_json
    assert settings.offline
    assert settings.own_keys


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("https://host/v1/", "https://host/v1"),
        ("https://host/v1///", "https://host/v1"),
        ("https://host//v1", "https://host/v1"),
        ("https://host/v1/images/generations", "https://host/v1"),
        ("https://host/v1/images/edits/", "https://host/v1"),
        ("http://[::1]:8000/v1/chat/completions", "http://[::1]:8000/v1"),
        ("https://host/api/v1/services/aigc/multimodal-generation/generation", "https://host/api/v1"),
        ('"https://host/v1"\r\n', "https://host/v1"),
    ],
)
def test_an_address_of_the_api_that_is_surely_meant_is_put_right(value: str, meant: str) -> None:
    assert Settings.from_env({"QWEN_BASE_URL": value}).base_url == meant


@pytest.mark.parametrize(
    "value",
    [
        "host/v1",
        "https:/host/v1",
        "https//host/v1",
        "ftp://host/v1",
        "https://",
        "https://my host/v1",
        "https://host/v1 # the API",
        "https://host/v1。",
        "https://host:port/v1",
        "https://host:99999/v1",
        "https://[::1/v1",
        "https://<host>/v1",
        "http://https://host/v1",
        "https://bailian.console.example/?tab=model#/api-key",
        "https://host/v1?api_key=sk-test-77d0c1e5",
        "https://name:hunter2@host/v1",
        "sk-test-77d0c1e5",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_any_other_is_refused_in_one_line_without_a_secret(value: str) -> None:
    with pytest.raises(WrongSetting) as caught:
        Settings.from_env({"QWEN_BASE_URL": value})
    line = str(caught.value)
    assert line.startswith("QWEN_BASE_URL must be ")
    assert "\n" not in line
    assert not [secret for secret in ("sk-test", "hunter2", "0123456789abcdef") if secret in line]


def test_hosts_are_read_as_people_paste_them() -> None:
    settings = Settings.from_env(
        {
            "QWEN_DEMO_TRUSTED_RESULT_HOSTS": ".aliyuncs.com, *.Example.com;https://minio.lan:9000/，10.0.0.5",
            "QWEN_DEMO_ALLOWED_HOSTS": "[::1]:7860 例子.cn",
        }
    )
    assert settings.trusted_hosts == (".aliyuncs.com", ".example.com", "minio.lan", "10.0.0.5")
    assert settings.allowed_hosts == ("::1", "xn--fsqu00a.cn")


@pytest.mark.parametrize("value", ["*", ".", "10.0.0.0/8", "a..b", "demo.example/path", "<name>"])
def test_what_is_no_host_is_refused(value: str) -> None:
    with pytest.raises(WrongSetting, match="QWEN_DEMO_ALLOWED_HOSTS must be names of hosts"):
        Settings.from_env({"QWEN_DEMO_ALLOWED_HOSTS": value})


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("127.0.0.1:7890", "http://127.0.0.1:7890"),
        ('"http://127.0.0.1:7890"', "http://127.0.0.1:7890"),
        ("http://127.0.0.1:7890/\r", "http://127.0.0.1:7890/"),
        ("http://name:p%40ss@proxy.example:3128", "http://name:p%40ss@proxy.example:3128"),
        ("socks://127.0.0.1:1080/", "socks5://127.0.0.1:1080/"),
        ("socks5h://127.0.0.1:1080", "socks5h://127.0.0.1:1080"),
        ("none", ""),
        ("DIRECT", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_that_is_surely_meant_is_put_right(name: str, value: str, meant: str) -> None:
    environ = {name: value}
    environment.put_right(environ)
    assert environ[name] == meant
    assert environ.get("NO_PROXY") == ("127.0.0.1,localhost,::1" if meant else None)


@pytest.mark.parametrize(
    "value",
    [
        "htp://127.0.0.1:7890",
        "http//127.0.0.1:7890",
        "http:/127.0.0.1:7890",
        "http://",
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "socks4://127.0.0.1:1080",
        "http://proxy.example/proxy.pac",
        "two words",
        "htp://name:hunter2@127.0.0.1:7890",
    ],
)
def test_any_other_proxy_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(WrongSetting, match=r"^HTTPS_PROXY must be a proxy's address such as .*\.$") as caught:
        environment.put_right({"HTTPS_PROXY": value})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"NO_PROXY": ".corp.example,10.0.0.1"}, ".corp.example,10.0.0.1,127.0.0.1,localhost,::1"),
        ({"no_proxy": "a.example", "NO_PROXY": "b.example"}, "a.example,b.example,127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "localhost; [::1] *.corp.example"}, "localhost,::1,.corp.example,127.0.0.1"),
        ({"NO_PROXY": "fe80::/10,[::1]:80,例子.cn,host:80"}, "xn--fsqu00a.cn,host:80,127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "*"}, "*"),
        ({"GRADIO_SERVER_NAME": "192.168.1.5"}, "127.0.0.1,localhost,::1,192.168.1.5"),
    ],
)
def test_loopback_is_past_every_proxy_and_what_was_told_stays(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str], kept: str
) -> None:
    environ = {"HTTPS_PROXY": "127.0.0.1:7890", **told}
    environment.put_right(environ)
    assert environ["NO_PROXY"] == environ["no_proxy"] == kept
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, environ[name])
    httpx.Client().close()  # takes it


def test_certificates_are_looked_at_before_anyone_needs_them(tmp_path: Path) -> None:
    whole = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(whole))
    environ = {"SSL_CERT_FILE": f'"{whole}"'}
    environment.put_right(environ)
    assert environ == {"SSL_CERT_FILE": str(whole)}
    (tmp_path / "words.pem").write_text("no certificate")
    for name, value, words in (
        ("SSL_CERT_FILE", "gone.pem", "can't be read"),
        ("SSL_CERT_FILE", ".", "can't be read"),
        ("SSL_CERT_FILE", "words.pem", "holds no certificates"),
        ("SSL_CERT_DIR", "gone", "is none"),
    ):
        with pytest.raises(WrongSetting, match=f"^{name} must be .*{words}[.]$"):
            environment.put_right({name: str(tmp_path / value)})


@pytest.mark.parametrize(
    ("dotenv", "environ", "line"),
    [
        ("QWEN_API_KEY=sk 1".encode("utf-16"), {}, "QWEN_API_KEY must be a key without spaces"),
        ("# 密钥\nQWEN_API_KEY=sk 1".encode("gbk"), {}, "QWEN_API_KEY must be a key without spaces"),
        (b"\xff\xff\xff", {}, "/.env is not plain text: save it again as UTF-8"),
        (b"HTTPS_PROXY=htp://x", {}, "HTTPS_PROXY must be a proxy's address"),
        (b"", {"SSL_CERT_FILE": "gone.pem"}, "SSL_CERT_FILE must be a file of certificates, and 'gone.pem'"),
        (b"GRADIO_SERVER_PORT=seven", {}, "GRADIO_SERVER_PORT must be a whole number from 1 to 65535"),
        (b"", {"QWEN_DEMO_OUTPUTS": "app.py"}, "QWEN_DEMO_OUTPUTS must be a folder that can be written, not 'app.py'"),
        (b"", {"QWEN_DEMO_OUTPUTS": "app.py/in"}, "QWEN_DEMO_OUTPUTS must be a folder that can be written"),
        (b"", {"GRADIO_TEMP_DIR": "/proc/none"}, "GRADIO_TEMP_DIR must be a folder that can be written"),
    ],
)
def test_what_stops_the_start_is_one_line(tmp_path: Path, dotenv: bytes, environ: dict[str, str], line: str) -> None:
    assert line in refused(tmp_path, dotenv, **environ)


def test_an_address_in_use_is_one_line(tmp_path: Path) -> None:
    with taken_port() as port:
        line = refused(tmp_path, f"GRADIO_SERVER_PORT={port}".encode())
    assert line.startswith("GRADIO_SERVER_NAME and GRADIO_SERVER_PORT must be a free address of this computer")
    assert f"127.0.0.1:{port}" in line


def test_a_dead_proxy_keeps_the_app_from_nothing_here(tmp_path: Path) -> None:
    dead = f"127.0.0.1:{free_port()}"
    port = free_port()
    dotenv = f"GRADIO_SERVER_PORT={port}\r\nHTTPS_PROXY={dead}\r\n".encode("utf-16")
    process = start(tmp_path, dotenv, HTTP_PROXY=f"http://{dead}", ALL_PROXY=f"socks://{dead}", QWEN_API_KEY="sk-1")
    try:
        wait_for(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        output, _ = process.communicate(timeout=30)
    assert "Traceback" not in output
