# generated for customer05.example
server {
    server_name mail.customer05.example;
    listen 127.0.1.5:993 ssl;
    listen 127.0.1.5:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer05.example;
}
