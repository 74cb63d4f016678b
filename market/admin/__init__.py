"""Tables for moderators and administrators, at /admin: sqladmin behind roles, the services behind every change."""
