# generated for customer06.example
server {
    server_name mail.customer06.example;
    listen 127.0.1.6:993 ssl;
    listen 127.0.1.6:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer06.example;
}
