# generated for customer07.example
server {
    server_name mail.customer07.example;
    listen 127.0.1.7:993 ssl;
    listen 127.0.1.7:143;
    starttls on;
    ssl_certificate     @CERTIFICATE@;
    ssl_certificate_key @KEY@;
    auth_http_header X-Domain customer07.example;
}
