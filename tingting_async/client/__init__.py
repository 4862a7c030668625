"""The session and the path of a request: the pipeline, its retries, the environment."""
