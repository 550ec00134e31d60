"""The merger process: short-lived, one per result, so that hostile text never stalls the supervisor."""
