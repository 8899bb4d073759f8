"""Tells Alertmanager and systemd; nothing waits for either."""
