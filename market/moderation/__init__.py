"""What may not stay: reports, takedowns, strikes, blocked words; and the log of who did what."""
