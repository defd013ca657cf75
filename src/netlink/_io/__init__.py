"""Rules of an exchange, locks and waiting; no families. Private."""
