"""What Gradio does otherwise here than by itself."""

import itertools
import time
from types import SimpleNamespace

import pytest
from gradio.exceptions import ServerFailedToStartError
from starlette.applications import Starlette
from uvicorn import Config

from qwen_demo.ui.gradio_patch import PatientServer
from tests.conftest import free_port


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # uvicorn ends so
def test_a_server_that_starts_slowly_is_waited_for_and_a_taken_port_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = itertools.count(step=60)
    monkeypatch.setattr("gradio.http_server.time", SimpleNamespace(time=lambda: next(minutes), sleep=time.sleep))
    port = free_port()
    first, second = (PatientServer(Config(Starlette(), port=port, log_config=None)) for _ in range(2))
    first.run_in_thread()
    assert first.started
    with pytest.raises(ServerFailedToStartError):
        second.run_in_thread()
    first.close()  # type: ignore[no-untyped-call]
