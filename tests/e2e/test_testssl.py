"""What testssl.sh says of the default settings: no finding of medium severity or worse. What it found is
kept as JSON beside the log of a failed run, or in $TESTSSL_FOLDER."""

import json
import os
import shutil
import subprocess
import threading

import pytest
from support.ports import free_port

WORSE_THAN_LOW = ("MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL")
# Of the certificate, and that is the test's: its authority is nobody's, and has no address on the web.
ABOUT_THE_CERTIFICATE = {"cert_chain_of_trust", "cert_revocation", "cert_trust", "DNS_CAArecord", "OCSP_stapling",
                         "cert_ocspRevoked", "cert_crlRevoked"}
ABOUT_THE_CHECKER = {"engine_problem"}  # its own OpenSSL can't load what it would like to
TARGETS = {"imaps": (), "smtp": ("--starttls", "smtp"), "pop3": ("--starttls", "pop3"), "imap": ("--starttls", "imap")}
# All of its checks for a port with TLS from the start; what depends on STARTTLS or may depend on it for the others.
CHECKS = {"imaps": (), "smtp": ("-p", "-s", "-P", "-R", "-I"), "pop3": ("-p", "-s", "-P"), "imap": ("-p", "-s", "-P")}

needs_testssl = pytest.mark.skipif(not shutil.which("testssl"), reason="testssl.sh is not installed")


@needs_testssl
def test_default_settings_have_no_finding(server, pki, folder):
    ports = {name: free_port() for name in TARGETS}
    blocks = "".join(f"server {{ protocol {name.removesuffix('s') if name == 'imaps' else name}; "
                     f"listen 127.0.0.1:{port}{' ssl' if name == 'imaps' else ''}; "
                     f"{'' if name == 'imaps' else 'starttls on;'} }}\n" for name, port in ports.items())
    server(f"auth_http 127.0.0.1:1; server_name mail.test; ssl_certificate {pki.server.path}; "
           f"ssl_certificate_key {pki.server.key_path};\n{blocks}", ports.values())
    keep = os.environ.get("TESTSSL_FOLDER", folder)

    def results(name):
        with open(f"{keep}/{name}.json") as file:
            return json.load(file)

    def scan(name):
        scan_once(name)
        if any("connect problem" in one["finding"] for one in results(name)):
            os.unlink(f"{keep}/{name}.json")  # openssl hung up while it was greeted: it has seen nothing
            scan_once(name)

    def scan_once(name):
        subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "-n", "none", "--add-ca", pki.authority.path,
                        "--jsonfile", f"{keep}/{name}.json", *CHECKS[name], *TARGETS[name], f"127.0.0.1:{ports[name]}"],
                       capture_output=True, timeout=300)
    threads = [threading.Thread(target=scan, args=(name,)) for name in TARGETS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in TARGETS:
        findings = results(name)
        bad = [f"{one['severity']} {one['id']}: {one['finding']}" for one in findings
               if one["severity"] in WORSE_THAN_LOW and one["id"].split(" ")[0] not in ABOUT_THE_CERTIFICATE | ABOUT_THE_CHECKER]
        assert bad == [], name
        found = {one["id"]: one["finding"] for one in findings}
        assert found["TLS1_3"].startswith("offered") and found["TLS1"] == "not offered"  # it was this that it looked at
        if name == "imaps":
            assert {"heartbleed", "CCS", "ROBOT", "secure_client_renego", "CRIME_TLS", "SWEET32", "DROWN"} <= set(found)
