"""Lines of an auth_file, made by `postern passwd`."""

import subprocess

from .proxy import postern_binary

SCHEMES = ["BLF-CRYPT", "SHA512-CRYPT", "YESCRYPT", "PLAIN"]


def passwd(user, password, scheme=None, check=True):
    arguments = [postern_binary(), "passwd", *(["-s", scheme] if scheme else []), user]
    return subprocess.run(arguments, input=password + "\n", capture_output=True, text=True, timeout=30, check=check)


def user_line(user, password, scheme=None, fields=""):
    """`user:{SCHEME}hash:...` with more fields (host=, port=, pass=, user=) at its end."""
    line = passwd(user, password, scheme).stdout.rstrip("\n")
    name, hash_ = line.split(":")[:2]
    return f"{name}:{hash_}::::::{fields}\n" if fields else line + "\n"
