"""Serves HTTP from what the board holds; never asks a target."""
