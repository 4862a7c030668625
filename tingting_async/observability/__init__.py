"""Events, the log and OpenTelemetry spans."""
