import json

from iip import bench
from iip.__main__ import main


def test_caps(capsys):
    assert main(["caps", "--json"]) == 0
    caps = json.loads(capsys.readouterr().out)
    assert caps["ports"]["pair"] is True
    assert caps["ports"]["tap"] is True
    assert caps["features"]["tcp.sack"] is True


def test_ffi_bench(capsys, tmp_path, monkeypatch):
    """The rows, also as JSON: {row, value, unit, ratio, peer, low, high} each; one call into the library a turn."""
    monkeypatch.setattr(bench, "ROUNDS", 1)
    assert main(["ffi-bench", "--json", str(tmp_path / "rows.json")]) == 0
    rows = json.loads((tmp_path / "rows.json").read_text())
    shown = capsys.readouterr().out
    assert all(list(row) == [*bench.Row._fields] and row["row"] in shown for row in rows)
    values = {row["row"]: row["value"] for row in rows}
    assert values["crossings per turn"] == 1
    assert values["requests per turn"] > 10  # 32 connections, three turns a round trip
    assert all(value > 0 for value in values.values())
    assert [row["row"] for row in rows if row["ratio"]] == ["asyncio streams"]  # the others need --c
