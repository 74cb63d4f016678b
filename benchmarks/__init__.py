"""Where the figures in the README and docs come from: one command each, never a test."""
