mkdir other; touch other/a other/b other/.c; printf 'b\n' > other/.dockerignore
