"""Logins with another server, by OpenID Connect 1.0. That server is called the provider."""
