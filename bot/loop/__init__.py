"""What people can do with a loop in chat: the buttons and the menu under it, and what each of them does."""
