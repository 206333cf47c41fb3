"""Progress: a bar where it is asked for, plain lines elsewhere."""

import logging

from simnn import progress, propagation


def test_a_bar_is_drawn_on_request(capsys):
    propagation.simulate(width=10, depth=2, trials=3, progress=True)
    assert "network" in capsys.readouterr().err


def test_nothing_is_drawn_when_standard_error_is_no_terminal(capsys):
    propagation.simulate(width=10, depth=2, trials=3)
    assert capsys.readouterr().err == ""


def test_long_work_without_a_terminal_logs_plain_lines(monkeypatch, caplog):
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, logger="simnn"), progress.track(10, "network", False) as advance:
        advance(5)
    assert "5 of 10 networks (50 %)" in caplog.text
