"""Plays each dialogue to NGINX and to Postern and compares all that client, service and backend saw."""

import os
from dataclasses import dataclass

import pytest
from support.folder import temporary_folder
from support.ports import free_port
from support.proxy import NGINX, NGINX_MODULE, Proxy

from . import imap, pop3, proxy_protocol, smtp, tls
from .differences import DIFFERENCES, OLDER, WANTED
from .log_lines import by_client
from .player import Player
from .servers import SERVERS, configuration

DIALOGUES = imap.DIALOGUES + pop3.DIALOGUES + smtp.DIALOGUES + tls.DIALOGUES + proxy_protocol.DIALOGUES
every_dialogue = pytest.mark.parametrize("dialogue", DIALOGUES, ids=str)

needs_nginx = pytest.mark.skipif(not (NGINX and os.path.exists(NGINX_MODULE)),
                                 reason="nginx with its mail module is not installed")


@pytest.fixture(scope="module")
def player(request, pki):
    """Knows those dialogues that this run will ask for."""
    wanted = {str(item.callspec.params["dialogue"]) for item in request.session.items
              if item.path == request.path and hasattr(item, "callspec")}
    player = Player([one for one in DIALOGUES if str(one) in wanted], pki)
    yield player
    player.close()


@dataclass
class Run:
    transcripts: dict  # by dialogue
    log: dict          # lines by client address


def play_all(kind, player):
    port_of = {name: free_port() for name in SERVERS}
    text = configuration(port_of, player.service.port, free_port(), player.pki)
    with temporary_folder() as folder, Proxy(kind, folder, text, port_of.values()) as proxy:
        transcripts = player.play(port_of)
        proxy.stop()  # the last lines are written
        return Run(transcripts, by_client(proxy.log()))


@pytest.fixture(scope="module")
def nginx(player):
    return play_all("nginx", player)


@pytest.fixture(scope="module")
def postern(player, nginx):  # one after the other: they share the records
    return play_all("postern", player)


def items(value):
    return (value,) if isinstance(value, str) else value


@needs_nginx
@every_dialogue
def test_the_oracle_shows_what_the_name_says(dialogue, nginx):
    text = nginx.transcripts[str(dialogue)]
    for fragment in items(dialogue.shows):
        assert fragment in text, f"missing: {fragment}\n{text}"
    for fragment in items(dialogue.hides):
        assert fragment not in text, f"not wanted: {fragment}\n{text}"
    assert "-- could not be played" not in text and "-- no whole reply" not in text, text
    ends = {"closed": "-- closed by the proxy", "open": "-- still open", "any": ""}[dialogue.ends]
    assert ends in text or "-- the client vanishes" in text, f"wrong end, wanted {dialogue.ends}:\n{text}"


@needs_nginx
@every_dialogue
def test_postern_does_as_nginx_does(dialogue, nginx, postern):
    expected = nginx.transcripts[str(dialogue)]
    difference = DIFFERENCES.get(str(dialogue))
    if difference:
        expected = difference.apply(expected)
    got = postern.transcripts[str(dialogue)]
    reason = f" (wanted difference: {difference.reason})" if difference else ""
    assert got == expected, f"{dialogue}{reason}\n--- expected\n{expected}\n--- got\n{got}"


@needs_nginx
@every_dialogue
def test_the_log_says_what_nginx_says(dialogue, player, nginx, postern):
    address = dialogue.via or player.address_of(dialogue)
    if str(dialogue) in DIFFERENCES or dialogue.via:
        return  # another course of things; an address that several share
    assert postern.log.get(address) == nginx.log.get(address)


def test_every_difference_names_a_dialogue():
    names = {str(one) for one in DIALOGUES}
    assert not set(DIFFERENCES) - names


def test_the_list_is_long_enough():
    assert len(DIALOGUES) >= 350


def test_few_things_differ():
    assert len({one.reason for one in WANTED.values()}) < 15
    assert not set(WANTED) & set(OLDER)
