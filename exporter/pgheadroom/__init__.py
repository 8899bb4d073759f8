"""Watches PostgreSQL's connection slots and pages before they run out.

every interval, one connection kept per target
PostgreSQL ──read──▶ Sample | Failure | Probe      a Reading: a value, never an exception
 (postgres/)              │
          step(State, Reading) ─▶ State            pure: no clock, socket or logger
 (forecast/, judge/)      │
                   board.publish(State)            one reference replaced
      ┌──────────────┬────┴─────────┬──────────────┐
  metrics/         web/          notify/        storage/

docs/architecture.md says which folder does what and where something new goes. What may be relied on
is named there too: command line, settings, metrics, alerts, HTTP API and recordings; no Python API.
"""

__version__ = "0.1.0"
