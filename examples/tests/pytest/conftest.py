"""A service for the whole run, and a port for each test. Copy this file beside your tests; it needs nothing but pytest.

The binary is the one in $ANSWERBACK, or `answerback` of the PATH.
"""

import json
import os
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest


class Unmet(AssertionError):
    """It did not happen. The message says what came nearest, and where it differs."""


class Answerback:
    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read())
            if problem["code"] == "expectation-unmet":
                raise Unmet(problem["detail"]) from None
            raise AssertionError(f"{method} {path}: {problem['detail']}") from None

    def open(self, **spec):
        """Opens a port of the kernel's choice; `listener["port"]` is which."""
        return self.call("POST", "/listeners", {"port": 0, "host": "127.0.0.1", "encoding": "utf-8"} | spec)

    def expect(self, listener, **expectation):
        """Waits until it has happened: at most 5 s, unless `within` says otherwise."""
        return self.call("POST", "/expect", {"listener": listener["id"]} | expectation)


@pytest.fixture(scope="session")
def answerback():
    program = os.environ.get("ANSWERBACK", "answerback")
    command = [program, "serve", "--listen", "127.0.0.1:0", "--journal", "memory"]
    with tempfile.TemporaryDirectory() as home:
        with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as service:
            # The first line comes once the API answers: `answerback: http://127.0.0.1:40123`.
            yield Answerback(service.stdout.readline().split()[1])
            service.terminate()


@pytest.fixture
def listen(answerback):
    """Opens ports that are closed when the test is over."""
    opened = []

    def listen(**spec):
        opened.append(answerback.open(**spec))
        return opened[-1]

    yield listen
    for listener in opened:
        answerback.call("DELETE", f"/listeners/{listener['id']}")
