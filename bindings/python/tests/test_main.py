import json

from iip.__main__ import main


def test_caps(capsys):
    assert main(["caps", "--json"]) == 0
    caps = json.loads(capsys.readouterr().out)
    assert caps["ports"]["pair"] is True
    assert caps["ports"]["tap"] is True
    assert caps["features"]["tcp.sack"] is True


def test_ffi_bench(capsys):
    assert main(["ffi-bench", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["requests a turn"] > 10  # 32 connections, three turns a round trip
    assert all(value > 0 for value in figures.values())
