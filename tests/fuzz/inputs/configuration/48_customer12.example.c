# generated for customer12.example
server {
    server_name mail.customer12.example;
    listen 127.0.1.12:993 ssl;
    listen 127.0.1.12:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer12.example;
}
