"""Runs the guide's authentication server as it is, under Flask. Only where the mail servers are comes
from outside: the addresses in the program are examples.

Usage: flask_runner.py PROGRAM PORT BACKEND_ADDRESS IMAP_PORT POP3_PORT SMTP_PORT [CERTIFICATE KEY]"""

import importlib.util
import sys


def main(program, port, address, imap, pop3, smtp, *certificate):
    spec = importlib.util.spec_from_file_location("auth_server", program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    backends = {"imap": imap, "pop3": pop3, "smtp": smtp}
    module.get_backend_port = lambda protocol: backends[protocol]

    @module.app.after_request
    def tell_the_real_address(response):
        if "Auth-Server" in response.headers:
            response.headers["Auth-Server"] = address
        return response

    module.app.run(port=int(port), ssl_context=certificate or None)


if __name__ == "__main__":
    main(*sys.argv[1:])
