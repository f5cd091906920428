# generated for customer11.example
server {
    server_name mail.customer11.example;
    listen 127.0.1.11:993 ssl;
    listen 127.0.1.11:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer11.example;
}
