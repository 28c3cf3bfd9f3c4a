"""What is old goes, whatever wrote it."""

import os
import time
from pathlib import Path

from qwen_demo.upkeep import sweep_folders


def test_second_names_and_uploads_go_after_a_day_by_the_age_of_their_folders(tmp_path: Path) -> None:
    published, picture = tmp_path / "published", tmp_path / "picture.png"
    sweep_folders(published)  # nothing is there yet
    picture.write_bytes(b"old")
    for name, hours in (("old", 25), ("new", 1)):
        (published / name).mkdir(parents=True)
        os.link(picture, published / name / "picture.png")
        os.utime(published / name, (time.time() - hours * 3600,) * 2)
    os.utime(picture, (time.time() - 100 * 3600,) * 2)
    sweep_folders(published)
    assert [path.name for path in published.iterdir()] == ["new"]
    assert (published / "new" / "picture.png").read_bytes() == picture.read_bytes() == b"old"
