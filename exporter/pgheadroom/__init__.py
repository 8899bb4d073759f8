"""Watches PostgreSQL's connection slots and pages before they run out.

every interval, one connection kept per target
PostgreSQL ──read──▶ Sample | Failure | Knock      a Reading: a value, never an exception
                          │
          step(State, Reading) ─▶ State            pure: no clock, socket or logger
                          │
                   board.publish(State)            one reference replaced
      ┌───────────────────┴────────────────┐
  /metrics                         status page, API
"""

__version__ = "0.1.0"
