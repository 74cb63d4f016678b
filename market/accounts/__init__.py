"""Who somebody is: accounts, the ways to sign in to one, sessions and personal tokens."""
