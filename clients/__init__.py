"""Clients of the API that generators write, in TypeScript and in Python."""
