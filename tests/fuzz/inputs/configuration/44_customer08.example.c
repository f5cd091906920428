# generated for customer08.example
server {
    server_name mail.customer08.example;
    listen 127.0.1.8:993 ssl;
    listen 127.0.1.8:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer08.example;
}
