"""How files leave: previews with a mark, and signed links to what somebody may have."""
