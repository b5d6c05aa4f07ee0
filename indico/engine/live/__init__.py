"""Changes of a user's own documents, as they happen: /live and /events."""
