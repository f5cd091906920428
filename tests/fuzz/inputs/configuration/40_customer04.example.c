# generated for customer04.example
server {
    server_name mail.customer04.example;
    listen 127.0.1.4:993 ssl;
    listen 127.0.1.4:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer04.example;
}
