"""Tests pgheadroom, against real servers wherever one is involved."""
