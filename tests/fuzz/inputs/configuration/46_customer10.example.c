# generated for customer10.example
server {
    server_name mail.customer10.example;
    listen 127.0.1.10:993 ssl;
    listen 127.0.1.10:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer10.example;
}
