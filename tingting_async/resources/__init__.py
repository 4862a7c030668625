"""What the resources of both API generations share."""
