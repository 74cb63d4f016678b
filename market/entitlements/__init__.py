"""What people have bought from Discord itself (its Premium Apps), as far as Discord has told."""
