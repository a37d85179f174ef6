"""The card's benchmark, proven on whatever is here."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest
from conftest import WORKERS


def test_it_runs_without_a_card_and_prints_one_json() -> None:
    if find_spec("torch") is None or find_spec("transformers") is None:
        pytest.skip("torch and transformers, the extra `gpu`, are not installed")
    ended = subprocess.run(
        [sys.executable, str(WORKERS / "bench" / "gpu.py"), "--small", "--device", "cpu"]
        + ["--batches", "60", "--seconds", "20"],
        capture_output=True,
        env={"PYTHONPATH": str(WORKERS), "PATH": "/usr/bin:/bin"},
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    found = json.loads(ended.stdout)
    for part in ("recognition", "translation", "speech"):
        rows = found[part]["batches"]
        assert [row["batch"] for row in rows][:2] == [1, 2]
        assert found[part]["padding_waste"] <= 0.1, part
        assert 0 < found[part]["share_of_ceiling"] <= 1
    memory = found["admission"]
    assert memory["recovery"]["done"] == memory["recovery"]["items"]
    assert memory["recovery"]["halved"] > 0
    assert memory["out_of_memory_afterwards"] == 0
    assert memory["batches"] == 60
    assert set(found["targets"].values()) == {None}, "nothing is claimed of a card"
