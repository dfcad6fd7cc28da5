from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[3] / "samples" / "three-reporters.yaml"


@pytest.fixture
def sample_text():
    return SAMPLE.read_text(encoding="utf-8")


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "agreement.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
