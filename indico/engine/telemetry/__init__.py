"""What the server tells of itself: figures for Prometheus, traces for OpenTelemetry."""
