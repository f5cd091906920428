"""Parts that the end-to-end tests start: proxies, mail servers, authentication services."""
