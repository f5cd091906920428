"""A real HAProxy in the foreground: a load balancer in front of the proxy, or a server behind it that
knows the PROXY protocol."""

import os
import shutil

from .ports import free_port
from .processes import Program

HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")


class HAProxy:
    """One TCP frontend. `bind` and `server`: what follows the addresses there."""

    def __init__(self, folder, target, bind="", server="", name="haproxy"):
        self.port = free_port()
        configuration = os.path.join(folder, f"{name}.cfg")
        with open(configuration, "w") as out:
            out.write(f"global\n    maxconn 100\ndefaults\n    mode tcp\n    timeout connect 5s\n    timeout client 30s\n"
                      f"    timeout server 30s\nlisten one\n    bind 127.0.0.1:{self.port} {bind}\n"
                      f"    server only {target} {server}\n")
        self.program = Program(name, [HAPROXY, "-db", "-f", configuration], folder, [self.port])

    def stop(self):
        self.program.stop()
