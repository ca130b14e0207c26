import socket

import pytest
from conftest import Unmet


def send_order(port, number):
    """The code under test: it would be imported from your own package."""
    with socket.create_connection(("127.0.0.1", port)) as shop:
        shop.sendall(f"ORDER {number}\n".encode())
        return shop.recv(100).decode()


def test_an_order_is_sent_and_its_answer_read(answerback, listen):
    server = listen(reply="ACCEPTED\n")
    assert send_order(server["port"], 4711) == "ACCEPTED\n"
    outcome = answerback.expect(server, match={"equals": "ORDER 4711\n"})
    assert outcome["evidence"][0]["text"] == "ORDER 4711\n"


def test_a_refusal_is_read_too(listen):
    refused = {"when": {"contains": "0815"}, "reply": "NO SUCH ARTICLE\n"}
    server = listen(reply="ACCEPTED\n", rules=[refused])
    assert send_order(server["port"], "0815") == "NO SUCH ARTICLE\n"


def test_nothing_is_sent_twice(answerback, listen):
    server = listen(reply="ACCEPTED\n")
    send_order(server["port"], 1)
    answerback.expect(server, match={"starts_with": "ORDER"}, count={"exactly": 1}, within="200ms")


def test_what_did_not_come_is_told_by_what_came_nearest(answerback, listen):
    server = listen(reply="ACCEPTED\n")
    send_order(server["port"], 4712)
    with pytest.raises(Unmet, match="differs at byte 9: expected 31, got 32"):
        answerback.expect(server, match={"equals": "ORDER 4711\n"}, within="0s")
