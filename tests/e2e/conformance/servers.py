"""The servers that the dialogues talk to: one mail { } block holds them all."""

SERVERS = {
    # name: (protocol, directives)
    "imap": ("imap", ""),
    "imap_all": ("imap", "imap_auth plain login cram-md5 external;"),
    "imap_words": ("imap", "imap_capabilities IMAP4rev1 UIDPLUS IDLE LITERAL+ QUOTA; "
                           "imap_auth cram-md5 external;"),
    "imap_buffer": ("imap", "imap_client_buffer 128;"),
    "imap_errors": ("imap", "max_errors 2;"),
    "imap_zero_errors": ("imap", "max_errors 0;"),
    "imap_pass": ("imap", "proxy_pass_error_message on;"),
    "imap_headers": ("imap", 'auth_http_header X-First "one value"; auth_http_header X-Second 2;'),
    "imap_reply": ("imap", "proxy_buffer 128;"),
    "imap_down": ("imap", "auth_http 127.0.0.1:{closed_port}/auth;"),
    "imap_uri": ("imap", "auth_http 127.0.0.1:{service_port}/mail/auth?a=b;"),
    "imap_root": ("imap", "auth_http http://127.0.0.1:{service_port};"),
    "imap_question": ("imap", "auth_http 127.0.0.1:{service_port}?a=b;"),
    "imap_hurry": ("imap", "timeout 1s; auth_http_timeout 500ms;"),
    "pop3": ("pop3", ""),
    "pop3_all": ("pop3", "pop3_auth plain apop cram-md5 external;"),
    "pop3_apop": ("pop3", "pop3_auth apop;"),
    "pop3_cram": ("pop3", "pop3_auth cram-md5;"),
    "pop3_external": ("pop3", "pop3_auth external;"),
    "pop3_words": ("pop3", "pop3_capabilities LAST TOP USER PIPELINING UIDL;"),
    "pop3_errors": ("pop3", "max_errors 2;"),
    "pop3_pass": ("pop3", "proxy_pass_error_message on;"),
    "pop3_down": ("pop3", "auth_http 127.0.0.1:{closed_port}/auth;"),
    "pop3_hurry": ("pop3", "timeout 1s; auth_http_timeout 500ms;"),
    "smtp": ("smtp", "xclient off;"),
    "smtp_all": ("smtp", "xclient off; smtp_auth plain login cram-md5 external;"),
    "smtp_words": ("smtp", 'smtp_capabilities "SIZE 10485760" ENHANCEDSTATUSCODES 8BITMIME DSN;'),
    "smtp_words_none": ("smtp", 'smtp_capabilities "SIZE 1000" DSN; smtp_auth none; xclient off;'),
    "smtp_only_none": ("smtp", "smtp_auth none; xclient off;"),
    "smtp_none": ("smtp", "smtp_auth plain none; smtp_capabilities PIPELINING; xclient off;"),
    "smtp_none_xclient": ("smtp", "smtp_auth none;"),
    "smtp_none_auth": ("smtp", "smtp_auth plain none; proxy_smtp_auth on; xclient off;"),
    "smtp_xclient": ("smtp", ""),
    "smtp_auth": ("smtp", "smtp_auth plain login cram-md5; proxy_smtp_auth on; xclient off;"),
    "smtp_auth_xclient": ("smtp", "proxy_smtp_auth on;"),
    "smtp_all_xclient": ("smtp", "smtp_auth plain login cram-md5 external;"),
    "smtp_auth_all": ("smtp", "smtp_auth plain login cram-md5 external; proxy_smtp_auth on; xclient off;"),
    "smtp_auth_pass": ("smtp", "proxy_smtp_auth on; xclient off; proxy_pass_error_message on;"),
    "smtp_none_errors": ("smtp", "smtp_auth none; xclient off; max_errors 2;"),
    "smtp_buffer": ("smtp", "smtp_client_buffer 128;"),
    "smtp_errors": ("smtp", "max_errors 2;"),
    "smtp_pass": ("smtp", "proxy_pass_error_message on; xclient off;"),
    "smtp_none_pass": ("smtp", "proxy_pass_error_message on; smtp_auth none;"),
    "smtp_delay": ("smtp", "smtp_greeting_delay 300ms;"),
    "smtp_long_delay": ("smtp", "smtp_greeting_delay 2500ms; timeout 2s;"),
    "smtp_down": ("smtp", "auth_http 127.0.0.1:{closed_port}/auth;"),
    "smtp_hurry": ("smtp", "timeout 1s; auth_http_timeout 500ms;"),
}
for _protocol, _plain in (("imap", ""), ("pop3", ""), ("smtp", "xclient off;")):
    _all = f"{_protocol}_auth plain {'apop' if _protocol == 'pop3' else 'login'} cram-md5 external;"
    _verify = "ssl_verify_client {}; ssl_client_certificate {{authority}}; ssl_crl {{crl}};"
    SERVERS.update({
        f"{_protocol}_starttls": (_protocol, f"starttls on; {_plain}"),
        f"{_protocol}_starttls_all": (_protocol, f"starttls on; {_all} {_plain}"),
        f"{_protocol}_starttls_only": (_protocol, f"starttls only; {_plain}"),
        f"{_protocol}_starttls_only_all": (_protocol, f"starttls only; {_all} {_plain}"),
        f"{_protocol}_starttls_verify": (_protocol, f"starttls on; {_verify.format('on')} {_plain}"),
        f"{_protocol}_ssl": (_protocol, f"ssl; {_plain}"),
        f"{_protocol}_pass_cert": (_protocol, f"ssl; {_all} {_verify.format('optional')} "
                                              f"auth_http_pass_client_cert on; {_plain}"),
        **{f"{_protocol}_verify_{mode}": (_protocol, f"ssl; {_verify.format(mode)} {_plain}")
           for mode in ("on", "optional")},
        f"{_protocol}_verify_optional_no_ca": (
            _protocol, f"ssl; ssl_verify_client optional_no_ca; ssl_client_certificate {{authority}}; {_plain}"),
    })
    _trusted = "set_real_ip_from 127.79.0.0/16; set_real_ip_from 127.80.0.1;"
    SERVERS.update({
        f"{_protocol}_proxied": (_protocol, f"proxied; starttls on; {_trusted} {_plain}"),
        f"{_protocol}_proxied_ssl": (_protocol, f"proxied; ssl; {_trusted} {_plain}"),
        f"{_protocol}_tells": (_protocol, f"proxy_protocol on; {_plain}"),
        f"{_protocol}_proxied_tells": (_protocol, f"proxied; proxy_protocol on; {_trusted} {_plain}"),
        f"{_protocol}_proxied_ssl_tells": (_protocol, f"proxied; ssl; proxy_protocol on; {_trusted} {_plain}"),
    })
SERVERS.update({
    "smtp_proxied_xclient": ("smtp", "proxied; set_real_ip_from 127.79.0.0/16;"),
    "smtp_starttls_xclient": ("smtp", "starttls on;"),
    "smtp_starttls_none": ("smtp", "starttls on; smtp_auth plain none; xclient off;"),
    "smtp_starttls_only_none": ("smtp", "starttls only; smtp_auth plain none; xclient off;"),
})


# Directives that begin with these words stand for parameters of "listen".
PARAMETERS = {"proxied; ": " proxy_protocol", "ssl; ": " ssl"}


def configuration(port_of, service_port, closed_port, pki):
    """The text inside mail { }."""
    blocks = ["server_name mail.test;", "timeout 20s;", f"ssl_certificate {pki.server.path};",
              f"ssl_certificate_key {pki.server.key_path};", "ssl_protocols TLSv1.2 TLSv1.3;"]
    for name, (protocol, directives) in SERVERS.items():
        if "auth_http " not in directives:
            directives += " auth_http http://127.0.0.1:{service_port}/auth;"
        directives = directives.format(service_port=service_port, closed_port=closed_port, crl=pki.crl,
                                       authority=pki.authority.path)
        listen = f"127.0.0.1:{port_of[name]}"
        for word, parameter in PARAMETERS.items():
            if directives.startswith(word):
                listen += parameter
                directives = directives.removeprefix(word)
        blocks.append(f"server {{ listen {listen}; protocol {protocol}; {directives} }}")
    return "\n".join(blocks)
