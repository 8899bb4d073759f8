"""Keeps what is usual at each hour of the week, and how the peaks of like days grow. Pure."""
