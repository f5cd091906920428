# generated for customer02.example
server {
    server_name mail.customer02.example;
    listen 127.0.1.2:993 ssl;
    listen 127.0.1.2:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer02.example;
}
