"""How declared records are decoded, encoded, matched and received, in C. Private."""
