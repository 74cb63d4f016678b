"""How a published loop is found: by words, by facets, by sound."""
