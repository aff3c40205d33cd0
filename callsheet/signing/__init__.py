"""C2PA: a manifest that is signed into a film, with the library that makes it (extra `c2pa`)."""
