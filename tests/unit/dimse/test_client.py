import socket
import threading

import pytest
import tenacity
from pynetdicom import evt

from pacsfw.api import Net, Node
from pacsfw.dimse import client, opening
from pacsfw.dimse.identifier import STUDY_ROOT_FIND
from pacsfw.errors import RemoteError
from peers.process import free_port
from unit.dimse.scripted import net, scripted


def why(nodes: Net, *abstract_syntaxes: str) -> str:
    with pytest.raises(RemoteError) as raised:
        client.associate(nodes, abstract_syntaxes or (client.VERIFICATION,))
    return str(raised.value)


def test_echo_reaches_real_archives(real_pacs) -> None:
    client.echo(net(real_pacs.port, real_pacs.aetitle))


def test_a_host_name_will_do() -> None:
    with scripted() as nodes:
        assert nodes.called is not None
        client.echo(net(nodes.called.port, ip="localhost"))


def test_an_unknown_host_is_told() -> None:
    assert "unknown host" in why(net(104, ip="no-such-host.invalid"))


def test_a_port_where_nothing_listens_is_told() -> None:
    words = why(net(free_port()))
    assert "refused: nothing listens there" in words
    assert "PACS at 127.0.0.1:" in words


def test_no_called_node_is_told() -> None:
    assert "net.called_node is missing" in why(Net(local=Node(aetitle="PACSFW")))


def test_a_wrong_called_ae_title_is_told() -> None:
    with scripted(called="OTHER") as nodes:
        words = why(nodes)
    assert "permanently: called AE title not recognized" in words
    assert "OTHER is the AE title of the PACS" in words
    assert "it knows ours, PACSFW" in words


def test_a_calling_ae_title_that_is_not_known_is_told() -> None:
    with scripted(require_calling_aet=["FRIEND"]) as nodes:
        words = why(nodes)
    assert "register our AE title PACSFW at the PACS" in words


def test_a_busy_pacs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_BUSY", client._BUSY.copy(stop=tenacity.stop_after_attempt(2)))
    with scripted(maximum_associations=1) as nodes, client.connect(nodes, [client.VERIFICATION]):
        assert "for now: local limit exceeded" in why(nodes)


def test_a_service_the_pacs_does_not_offer_is_told() -> None:
    with scripted(contexts=(client.VERIFICATION,)) as nodes:
        words = why(nodes, STUDY_ROOT_FIND)
    assert "Study Root Query/Retrieve Information Model - FIND is not supported" in words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "the connection to the PACS was lost instead of a response"),
        (b"\7\0\0\0\0\4\0\0\0\0", "the PACS aborted instead of responding"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is this a DICOM port"),
    ],
)
def test_a_peer_that_is_no_pacs_is_told(answer: bytes, words: str) -> None:
    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        assert words in why(net(server.getsockname()[1]))
        thread.join()


def test_a_silent_peer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "ACSE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert "no response to the association request" in why(net(server.getsockname()[1]))


def test_an_echo_that_fails_is_told_in_words() -> None:
    with (
        scripted((evt.EVT_C_ECHO, lambda event: 0x0122)) as nodes,
        pytest.raises(RemoteError, match="C-ECHO: 0122: Refused: SOP class not supported"),
    ):
        client.echo(nodes)


def test_an_abort_instead_of_an_echo_is_told() -> None:
    def abort(event: evt.Event) -> int:
        event.assoc.abort()
        return 0

    with (
        scripted((evt.EVT_C_ECHO, abort)) as nodes,
        pytest.raises(RemoteError, match="C-ECHO: the PACS aborted the association"),
    ):
        client.echo(nodes)


def test_an_error_while_connected_aborts_the_association() -> None:
    ended = []
    with scripted((evt.EVT_ABORTED, ended.append), (evt.EVT_RELEASED, ended.append)) as nodes:
        link = client.associate(nodes, [client.VERIFICATION])
        link.release()
        assert not link.is_open
        with (
            pytest.raises(ZeroDivisionError),
            client.connect(nodes, [client.VERIFICATION]) as broken,
        ):
            raise ZeroDivisionError
        assert not broken.is_open
