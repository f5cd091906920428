# generated for customer03.example
server {
    server_name mail.customer03.example;
    listen 127.0.1.3:993 ssl;
    listen 127.0.1.3:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer03.example;
}
