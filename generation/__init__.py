"""How a loop is made: the ground floor. Knows no database, no chat and no network."""
