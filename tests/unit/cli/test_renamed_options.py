"""Options that were renamed still work under their former names, which help does not show."""

from __future__ import annotations

import pytest

from pacsfw.cli import main


@pytest.mark.parametrize(
    ("command", "option", "former"),
    [
        (["run"], ["--retry-given-up"], ["--again"]),
        (["move"], ["--retry-given-up"], ["--again"]),
        (["server"], ["--settle-after", "1"], ["--quiet", "1"]),
    ],
)
def test_a_former_name_is_accepted_and_not_shown(command, option, former, capsys):
    main([*command, "--help"])
    shown = capsys.readouterr().out
    said = []
    for arguments in (option, former):
        assert main([*command, *arguments, "no.yaml"]) == 2
        said.append(capsys.readouterr().err)

    assert option[0] in shown
    assert former[0] not in shown
    assert said[0] == said[1]
    assert "no.yaml" in said[1]
