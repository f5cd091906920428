# generated for customer09.example
server {
    server_name mail.customer09.example;
    listen 127.0.1.9:993 ssl;
    listen 127.0.1.9:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer09.example;
}
