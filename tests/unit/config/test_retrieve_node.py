"""``net.retrieve_node``: the PACS under another AE title."""

from __future__ import annotations

import pytest

from pacsfw.errors import ConfigError

CONF = """\
net:
  local_node: {{aetitle: US, port: 11112}}
  {called}
  retrieve_node: {node}
"""
CALLED = "called_node: {aetitle: QUERY, ip: 10.1.2.3, port: 104, max_associations: 3}"


def net(desk, node, called=CALLED):
    return desk.load(CONF.format(node=node, called=called)).config.net


def test_what_it_does_not_name_is_that_of_the_called_node(desk):
    found = net(desk, "{aetitle: ' RETRIEVE '}")

    assert (found.retrieve.aetitle, found.retrieve.ip) == ("RETRIEVE", "10.1.2.3")
    assert (found.retrieve.port, found.retrieve.max_associations) == (104, 3)
    assert found.called.aetitle == "QUERY"


def test_it_may_have_an_address_of_its_own(desk):
    found = net(desk, "{ip: 10.1.2.4, port: 105}")

    assert (found.retrieve.aetitle, found.retrieve.ip, found.retrieve.port) == (
        "QUERY",
        "10.1.2.4",
        105,
    )


@pytest.mark.parametrize(
    ("node", "called"), [("{}", CALLED), ("{aetitle: R, color: red}", CALLED), ("{aetitle: R}", "")]
)
def test_what_makes_no_sense_is_an_error(desk, node, called):
    with pytest.raises(ConfigError, match="net"):
        net(desk, node, called)
