"""What a licence allows, who holds one, and how anybody can check it."""
