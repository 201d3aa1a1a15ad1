"""The Dockerfile language: text -> positioned AST -> typed instructions. No I/O."""
