"""Migrations: numbered files that change stored data, each applied once to a database."""
