"""The Dockerfile language: text -> positioned AST -> typed instructions. No I/O.

parser.parse_ast       text -> `ast.Ast`: words with positions, comments, here-documents
parse.parse            text -> `instructions.Dockerfile`; parse.parse_trigger: one ONBUILD
expand.Expander        variables, quotes and escapes of a word, a here-document, EXPOSE's words
mounts.parse_mount     one RUN --mount;  ports.parse_port, signals.check_signal: after expansion
heredoc.script         what a RUN with here-documents executes
checks                 the check directive, for the file and for one instruction
"""
