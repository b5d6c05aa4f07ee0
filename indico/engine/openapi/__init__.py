"""The API's description: its OpenAPI document, Swagger UI, and the page in Markdown."""
