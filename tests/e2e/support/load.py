"""The load on a proxy, as a test sees it: its servers, its clients, and what the clients counted."""

import json
import os
import subprocess

FOLDER = os.path.dirname(__file__)


class Child:
    """A program of this folder that is told what to do on its standard input, and ends with it."""

    def __init__(self, name, *arguments):
        self._process = subprocess.Popen(["/usr/bin/python3", os.path.join(FOLDER, name), *arguments], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def hear(self):
        line = self._process.stdout.readline()
        assert line, "it ended"
        return json.loads(line)

    def ask(self, **command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self.hear()

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.stdout.close()


class LoadServers(Child):
    def __init__(self):
        super().__init__("load_servers.py")
        self.ports = self.hear()


class Load(Child):
    def __init__(self, ports, sessions=200, source="127.0.77.1"):
        self.source = source
        super().__init__("load_client.py", json.dumps({"ports": ports, "sessions": sessions, "source": source}))

    def look(self):
        return self.ask(do="look")

    def kill(self, victim, others):
        """What became of a SIGABRT: {"doomed", "safe": sessions, "dead_after", "served_after": seconds}."""
        return self.ask(do="kill", victim=victim, others=others)

    def stop(self):
        return self.ask(do="stop")
