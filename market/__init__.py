"""What people browse and buy; the studio that turns orders into loops. May import generation."""
