"""The community: what people say of loops, and what is made of that."""
