"""Decides which targets are asked, and when: readings → step → board."""
