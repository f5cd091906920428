# generated for customer01.example
server {
    server_name mail.customer01.example;
    listen 127.0.1.1:993 ssl;
    listen 127.0.1.1:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer01.example;
}
