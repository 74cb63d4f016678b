"""What people see in chat. May import market and generation."""
