"""A small GitHub of our own: sign-in, REST, GraphQL and real git, all answering from one invented world."""
